"""How much a record counts: from its line in a table to the loss."""

import apache_beam as beam
import numpy as np
import pytest

from components import records
from components.augmentation.augment import augment
from components.augmentation.balance import Copies, Targets
from components.families.image import augmentation, ingestion, sources
from components.families.image.data import DataSettings, ImageSettings, RecordSettings
from components.families.image.settings import AugmentationSettings
from components.ingestion.usable import Usable
from components.keras import keras
from components.model_definition import ModelDefinition
from components.source import UnusableRecordError, weight_of
from components.tasks.classification import labels
from components.tasks.classification.target import TargetSettings

SIZE = ImageSettings(height=8, width=8, channels=1)
BAD = ("", "0", "-1", "nan", "inf", "1_000", "1e60", "1e-60", "three")


@pytest.fixture
def table(image_folder, classes):
    """Writes a table of the pictures: what a picture counts, by its number."""
    table = image_folder / "labels.csv"

    def write(weight, more=()):
        names = [f"{label}/{number:03d}.png" for label in classes for number in range(100)]
        lines = [f"{name},{name.partition('/')[0]},{weight(int(name[-7:-4]))}" for name in names]
        table.write_text("\n".join(["path,label,counts", *lines, *more]))
        return DataSettings(
            source="image_csv",
            path=str(table),
            weight_column="counts",
            max_quarantined_fraction=0.2,
            image=SIZE,
        )

    yield write
    table.unlink()


@pytest.fixture
def run(ingested, classes, tmp_path):
    def on(settings):
        target = TargetSettings(classes=classes)
        result = ingested(Usable(sources, ingestion, labels, settings, target), tmp_path)
        return result, tmp_path / "examples"

    return on


def stored(examples_dir):
    found = (each for split in records.SPLITS for each in records.read_split(examples_dir, split))
    return {records.id_of(each): records.weight_of(each) for each in found}


def defined(class_weight="none"):
    return ModelDefinition.of(
        "components.families.image.model",
        "components.tasks.classification.training",
        record={"image": SIZE.model_dump()},
        target={"classes": ["dark", "light"]},
        weighing={"class_weight": class_weight},
    )


def train_set(definition, examples_dir):
    return definition.train_set(str(examples_dir), {}, batch_size=1000, seed=17)


def test_a_weight_is_stored_as_it_is_said_and_none_where_nothing_is(table, run, examples_dir):
    _, weighted_dir = run(table(lambda number: 3 if number % 10 == 0 else 0.5))
    found = stored(weighted_dir)
    assert len(found) == 200
    assert found == {name: 3 if name.endswith("0.png") else 0.5 for name in found}
    assert (records.has_weights(weighted_dir), records.has_weights(examples_dir)) == (True, False)


@pytest.mark.parametrize("text", BAD)
def test_what_is_no_number_above_0_is_no_weight(text):
    with pytest.raises(UnusableRecordError, match="expected a finite number above 0 as the weight, got "):
        weight_of(text)


def test_a_record_with_a_bad_weight_goes_to_quarantine_with_its_reason_and_takes_no_other_along(table, run):
    result, examples_dir = run(table(lambda number: BAD[number] if number < len(BAD) else "1"))
    assert result.quarantined.keys() == {
        f"{label}/{number:03d}.png" for label in ("dark", "light") for number in range(len(BAD))
    }
    assert result.quarantined["dark/001.png"] == "expected a finite number above 0 as the weight, got '0'"
    assert result.quarantined.keys().isdisjoint(stored(examples_dir))
    assert len(stored(examples_dir)) == 200 - 2 * len(BAD)


def test_of_the_same_picture_under_one_label_the_first_by_name_holds_with_its_weight(
    table, run, image_folder
):
    copy = image_folder / "dark/zzz.png"
    copy.write_bytes((image_folder / "dark/000.png").read_bytes())
    try:
        result, examples_dir = run(table(lambda number: 2, ["dark/zzz.png,dark,5"]))
    finally:
        copy.unlink()
    assert (result.duplicates, result.quarantined) == (1, {})
    assert (stored(examples_dir)["dark/000.png"], "dark/zzz.png" in stored(examples_dir)) == (2, False)


def test_a_record_with_weight_3_counts_as_three_in_the_loss(table, run, tmp_path):
    _, weighted_dir = run(table(lambda number: 3 if number % 10 == 0 else 1))
    repeated_dir, found = tmp_path / "repeated", list(records.read_split(weighted_dir, "train"))
    assert len({records.weight_of(each) for each in found}) == 2
    thrice = [each for each in found for _ in range(int(records.weight_of(each)))]
    for each in found:
        del each.features.feature[records.WEIGHT]
    records.write_split(repeated_dir, "train", iter(thrice))
    definition = defined()
    model = definition.build({"filters": 4, "dense_units": 4}, seed=1)
    definition.compile(model, 0.1)
    weighted, repeated = (
        model.evaluate(train_set(definition, folder), verbose=0, return_dict=True)["loss"]
        for folder in (weighted_dir, repeated_dir)
    )
    assert weighted == pytest.approx(repeated, rel=1e-5)
    unweighted = model.evaluate(
        definition.dataset(str(weighted_dir), "train", {}, batch_size=1000), verbose=0
    )[0]
    assert weighted != pytest.approx(unweighted, rel=1e-5)


@pytest.mark.parametrize("times", [1e-6, 1, 1e6])
def test_weights_count_by_their_ratio_alone(table, run, times):
    _, examples_dir = run(table(lambda number: times * (1 + number % 2)))
    ((_, _, weights),) = train_set(defined(), examples_dir).as_numpy_iterator()
    assert weights.mean() == pytest.approx(1, rel=1e-5)
    assert weights.max() / weights.min() == pytest.approx(2, rel=1e-5)


def test_balanced_classes_count_the_same_whatever_their_records_count(table, run):
    _, examples_dir = run(table(lambda number: 1 + number % 4))
    ((_, labels_, weights),) = train_set(defined("balanced"), examples_dir).as_numpy_iterator()
    dark, light = (weights[labels_ == label].sum() for label in (0, 1))
    assert dark == pytest.approx(light, rel=1e-5)
    assert weights.mean() == pytest.approx(1, rel=1e-5)
    assert len(np.unique(weights[labels_ == 0])) == 4


def test_what_training_is_watched_and_judged_on_counts_each_record_once(table, run):
    _, examples_dir = run(table(lambda number: 1 + number % 4))
    definition = defined()
    for data in (
        definition.eval_set(str(examples_dir), {}, batch_size=8),
        definition.dataset(str(examples_dir), "test", {}, batch_size=8),
    ):
        assert len(data.element_spec) == 2


def test_copies_count_as_their_originals(table, run, tmp_path):
    _, examples_dir = run(table(lambda number: 3 if number % 10 == 0 else 1))
    settings = AugmentationSettings(factor=2)
    target = str(tmp_path / "augmented")
    augment(
        augmentation,
        str(examples_dir),
        target,
        record=RecordSettings(image=SIZE),
        settings=settings,
        copies=Copies({}, Targets({}, {}), settings),
        pipeline=beam.Pipeline(runner="FnApiRunner"),
    )
    found = {records.id_of(each): records.weight_of(each) for each in records.read_split(target, "train")}
    copies = {name: weight for name, weight in found.items() if name.endswith("#1")}
    assert len(copies) == len(found) / 2
    assert copies == {name: found[name.removesuffix("#1")] for name in copies}


def test_training_takes_weights_and_other_weights_give_another_model(table, run, tmp_path):
    models = []
    for weight in (lambda number: 1, lambda number: 1000 if number < 5 else 1):
        _, examples_dir = run(table(weight))
        definition = defined()
        keras.utils.set_random_seed(3)
        model = definition.build({"filters": 4, "dense_units": 4}, seed=1)
        definition.compile(model, 0.01)
        model.fit(train_set(definition, examples_dir), epochs=2, verbose=0)
        models.append(model.get_weights())
    assert not all(np.allclose(one, other) for one, other in zip(*models, strict=True))
