import numpy as np
import pytest

from components.keras import tf
from components.model_definition import ModelDefinition
from components.variation import mixed

AUGMENTATION = "components.families.image.augmentation"
TURNED = [{"name": "rotate", "max_degrees": 90}, {"name": "noise"}]


def defined(operations=TURNED, class_weight="none", **policy):
    return ModelDefinition.of(
        "components.families.image.model",
        "components.tasks.classification.training",
        record={"image": {"height": 8, "width": 8, "channels": 1}},
        target={"classes": ["dark", "light"]},
        weighing={"class_weight": class_weight},
        augmentation=AUGMENTATION,
        policy={"mode": "online", "operations": operations, **policy},
    )


def epochs(definition, examples_dir, *, seed=17, count=2):
    data = definition.train_set(str(examples_dir), {}, batch_size=16, seed=seed)
    # Repeated, as training reads it.
    batches = [tuple(map(np.asarray, batch)) for batch in data.repeat(count)]
    return [batches[start : start + len(data)] for start in range(0, len(batches), len(data))]


def images(epoch):
    return np.concatenate([batch[0] for batch in epoch])


def of_records(epoch):
    """The images of an epoch, sorted: shuffled or not, the same ones are equal."""
    return sorted(image.tobytes() for image in images(epoch))


def test_every_epoch_has_variations_of_its_own_in_the_range_of_the_network(examples_dir):
    first, second = epochs(defined(), examples_dir)
    assert len(first) == len(second)
    assert set(of_records(first)).isdisjoint(of_records(second))
    assert images(first).shape == images(second).shape
    assert images(first).min() >= 0
    assert images(first).max() <= 1


def test_the_same_seed_gives_the_same_epochs_and_another_seed_other_ones(examples_dir):
    first, again, other = (epochs(defined(), examples_dir, seed=seed) for seed in (17, 17, 18))
    assert [of_records(epoch) for epoch in first] == [of_records(epoch) for epoch in again]
    assert [images(epoch).tobytes() for epoch in first] == [images(epoch).tobytes() for epoch in again]
    assert set(of_records(first[0])).isdisjoint(of_records(other[0]))


def test_nothing_is_changed_but_what_the_policy_says(examples_dir, definition):
    (plain,) = epochs(definition, examples_dir, count=1)
    (unchanged,) = epochs(defined(operations=[]), examples_dir, count=1)
    assert np.allclose(images(plain), images(unchanged))
    assert [batch[1].tolist() for batch in plain] == [batch[1].tolist() for batch in unchanged]


def test_the_eval_split_is_never_changed(examples_dir, definition):
    ours = defined().eval_set(str(examples_dir), {}, batch_size=16)
    plain = definition.dataset(str(examples_dir), "eval", {}, batch_size=16)
    for (image, label), (expected, same) in zip(ours, plain, strict=True):
        assert np.array_equal(image, expected)
        assert np.array_equal(label, same)


def test_mixup_gives_soft_labels_that_say_how_much_of_each_class_is_in_an_image(examples_dir):
    (epoch,) = epochs(defined(operations=[], mixup_alpha=1), examples_dir, count=1)
    labels = np.concatenate([batch[1] for batch in epoch])
    assert labels.shape[1] == 2
    assert np.allclose(labels.sum(axis=1), 1)
    assert ((labels > 0.05) & (labels < 0.95)).any(axis=1).mean() > 0.2
    # Dark pictures have a mean of about 40, light ones of about 200.
    expected = (labels @ [40, 200]) / 255
    assert np.abs(images(epoch).mean(axis=(1, 2, 3)) - expected).max() < 0.06


def test_mixtures_of_weighted_examples_count_as_much_as_their_parts_do():
    inputs = tf.constant([[0.0], [1.0], [2.0], [3.0]])
    labels = tf.one_hot([0, 1, 0, 1], 2)
    weights = tf.constant([1.0, 3.0, 1.0, 3.0])
    seed = tf.constant([1, 2], tf.int64)
    outputs = tf.constant([[0.7, 0.3]] * 4)

    plain = mixed((inputs, labels), 1.0, seed)
    weighed = mixed((inputs, labels, weights), 1.0, seed)
    loss = -tf.reduce_sum(weighed[1] * tf.math.log(outputs), axis=1) * weighed[2]
    # What each of the two labels costs, weighed by its class, in the shares in which the images are mixed.
    expected = -(plain[1][:, 0] * 1.0 * np.log(0.7) + plain[1][:, 1] * 3.0 * np.log(0.3))
    assert np.allclose(weighed[0], plain[0])
    assert np.allclose(weighed[1].numpy().sum(axis=1), 1)
    assert np.allclose(loss, expected, atol=1e-5)


def test_classes_are_weighed_before_they_are_mixed(examples_dir):
    (epoch,) = epochs(defined(class_weight="balanced", mixup_alpha=0.4), examples_dir, count=1)
    assert all(len(batch) == 3 for batch in epoch)
    assert np.mean(np.concatenate([batch[2] for batch in epoch])) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("mixup_alpha", [0, 0.4])
def test_a_model_is_trained_and_watched_on_labels_of_one_kind(examples_dir, mixup_alpha):
    definition = defined(mixup_alpha=mixup_alpha)
    model = definition.build({"filters": 4, "dense_units": 4}, seed=17)
    definition.compile(model, 0.01)
    history = model.fit(
        definition.train_set(str(examples_dir), {}, batch_size=16, seed=17),
        validation_data=definition.eval_set(str(examples_dir), {}, batch_size=16),
        epochs=3,
        verbose=0,
    ).history
    assert set(history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert history["val_accuracy"][-1] > 0.9
