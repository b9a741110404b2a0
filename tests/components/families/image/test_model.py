import numpy as np
import pytest

from components import records
from components.export import load_trunk, save_trunk
from components.families.image import ingestion, pixels
from components.families.image.data import DataSettings
from components.keras import tf
from components.source import RawRecord
from serving import pictures


@pytest.fixture(scope="module")
def trunk(definition):
    return definition.build({"filters": 4, "dense_units": 4}, seed=17)


@pytest.fixture(scope="module")
def served(definition, trunk, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    definition.save(trunk, folder, learnt={})
    return tf.saved_model.load(str(folder))


def test_all_three_signatures_give_the_same_answers(definition, served, trunk, examples_dir):
    examples = list(records.read_split(examples_dir, "test"))[:4]
    files = [pixels.file_of(example) for example in examples]
    images = pixels.decode_stored(tf.constant(files), definition.record.image)
    answers = [
        served.signatures["serving_default"](image=images),
        served.signatures["encoded"](image_bytes=tf.constant(files)),
        served.signatures["examples"](examples=tf.constant([item.SerializeToString() for item in examples])),
    ]
    expected = trunk(pixels.scale(images), training=False).numpy()
    for answer in answers:
        assert np.allclose(answer["probabilities"], expected, atol=1e-6)
        names = [name.decode() for name in answer["label"].numpy()]
        assert names == [["dark", "light"][index] for index in expected.argmax(-1)]


def test_encoded_images_of_another_size_are_brought_to_the_model_s_size(served):
    big = tf.io.encode_jpeg(tf.cast(tf.fill([31, 17, 1], 120), tf.uint8)).numpy()
    assert served.signatures["encoded"](image_bytes=tf.constant([big]))["probabilities"].shape == (1, 2)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF"])
def test_an_original_file_is_answered_as_what_ingestion_has_stored_of_it(
    kind, definition, served, photo, saved
):
    big = saved(photo.resize((640, 480)), kind)
    record = RawRecord("a", big, "dark")
    stored = ingestion.features(record, DataSettings(image=definition.record.image))
    example = tf.train.Example(features=tf.train.Features(feature=stored)).SerializeToString()
    asked = served.signatures["encoded"](image_bytes=tf.constant([pictures.sendable(big)]))
    trained = served.signatures["examples"](examples=tf.constant([example]))

    tolerance = 0.01 if kind == "JPEG" else 1e-6
    assert np.abs(asked["probabilities"] - trained["probabilities"]).max() <= tolerance


def test_the_trunk_comes_back_with_its_weights_and_with_what_preprocessing_has_learnt(trunk, tmp_path):
    save_trunk(trunk, tmp_path, {"mean": [0.1]})
    loaded, learnt = load_trunk(tmp_path)
    for before, after in zip(trunk.get_weights(), loaded.get_weights(), strict=True):
        assert np.array_equal(before, after)
    assert learnt == {"mean": [0.1]}
