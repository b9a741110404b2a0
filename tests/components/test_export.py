import numpy as np
import pytest

from components import records
from components.export import load_trunk, save_served_model, save_trunk
from components.keras import tf
from components.training.model import build
from components.training.settings import TrainingSettings

SHAPE = records.ImageShape(8, 8, 1)


@pytest.fixture(scope="module")
def trunk():
    return build(SHAPE, 2, TrainingSettings(filters=4, dense_units=4))


@pytest.fixture(scope="module")
def served(trunk, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    save_served_model(trunk, folder, classes=["dark", "light"], shape=SHAPE)
    return tf.saved_model.load(str(folder))


def test_all_three_signatures_give_the_same_answers(served, trunk, examples_dir):
    examples = list(records.read_split(examples_dir, "test"))[:4]
    files = [example.features.feature[records.IMAGE].bytes_list.value[0] for example in examples]
    pixels = records.decode_images(tf.constant(files), SHAPE)
    answers = [
        served.signatures["serving_default"](image=pixels),
        served.signatures["encoded"](image_bytes=tf.constant(files)),
        served.signatures["examples"](examples=tf.constant([item.SerializeToString() for item in examples])),
    ]
    expected = trunk(records.scale(pixels), training=False).numpy()
    for answer in answers:
        assert np.allclose(answer["probabilities"], expected, atol=1e-6)
        names = [name.decode() for name in answer["label"].numpy()]
        assert names == [["dark", "light"][index] for index in expected.argmax(-1)]


def test_encoded_images_of_another_size_are_brought_to_the_model_s_size(served):
    big = tf.io.encode_jpeg(tf.cast(tf.fill([31, 17, 1], 120), tf.uint8)).numpy()
    assert served.signatures["encoded"](image_bytes=tf.constant([big]))["probabilities"].shape == (1, 2)


def test_the_trunk_comes_back_with_its_weights(trunk, tmp_path):
    save_trunk(trunk, tmp_path)
    for before, after in zip(trunk.get_weights(), load_trunk(tmp_path).get_weights(), strict=True):
        assert np.array_equal(before, after)
