import apache_beam as beam
import numpy as np
import pytest

from components import records
from components.augmentation import balance, gathering
from components.augmentation.augment import augment
from components.families.image import augmentation
from components.families.image.data import ImageSettings, RecordSettings
from components.families.image.settings import AugmentationSettings
from components.tasks.classification import labels
from components.tasks.classification.target import TargetSettings
from contract.errors import DataError, SettingsError

COUNTS = {"rare": 20, "common": 300, "other": 80}
TARGET = TargetSettings(classes=[*COUNTS, "absent"])


def direct():
    return beam.Pipeline(runner="FnApiRunner")


def examples(counts=COUNTS):
    return [
        records.example({}, labels.encode(name, TARGET), f"{name}/{number}")
        for name, count in counts.items()
        for number in range(count)
    ]


def planned(shares, factor=3, originals=None, **more):
    settings = AugmentationSettings(factor=factor, balance=shares, **more)
    wanted = balance.targets(labels, TARGET, settings)
    ranks = balance.ranks(examples() if originals is None else originals, wanted, settings)
    return balance.Copies(ranks, wanted, settings)


def turns(plan, originals):
    """Which copy of each record comes in each turn, by id."""
    serialized = {records.id_of(each): each.SerializeToString(deterministic=True) for each in originals}
    return {
        name: [plan.in_turn(each, turn) for turn in range(plan.turns)] for name, each in serialized.items()
    }


def copies(plan, originals):
    """How many copies each record gets, by id; they are numbered, and the original comes once too."""
    found = {
        name: [each for each in all_ if each is not None] for name, all_ in turns(plan, originals).items()
    }
    assert all(numbers == list(range(len(numbers))) and numbers for numbers in found.values())
    return {name: len(numbers) - 1 for name, numbers in found.items()}


def enlarged(found):
    """How many there are of each label, originals and copies."""
    return {name: sum(1 + count for key, count in found.items() if key.startswith(name)) for name in COUNTS}


def test_without_shares_every_record_gets_as_many_copies_as_the_factor_says():
    plan = planned({}, factor=4, originals=[])
    assert set(copies(plan, examples()).values()) == {3}
    assert set(map(tuple, turns(plan, examples()).values())) == {(0, 1, 2, 3)}


def test_a_named_label_gets_its_share_and_the_others_divide_the_rest_as_before():
    found = enlarged(copies(planned({"rare": 0.3}), examples()))
    assert sum(found.values()) == 3 * 400
    assert found["rare"] == 360
    assert found["common"] / found["other"] == pytest.approx(300 / 80, rel=0.1)


def test_all_labels_together_may_be_named_and_all_be_equally_frequent():
    third = 1 / 3
    found = enlarged(copies(planned({name: third for name in COUNTS}), examples()))
    assert found == {"rare": 400, "common": 400, "other": 400}


def test_records_of_a_label_get_the_same_number_of_copies_or_one_more():
    found = copies(planned({"rare": 0.3}), examples())
    rare = {count for key, count in found.items() if key.startswith("rare")}
    assert len(rare) <= 2
    assert max(rare) - min(rare) <= 1
    assert planned({"rare": 0.3}).turns == max(found.values()) + 1


def test_every_turn_has_about_the_shares_that_all_have_together():
    found = turns(planned({"rare": 0.3}, originals=examples()), examples())
    for turn in range(len(found["rare/0"])):
        present = [name.partition("/")[0] for name, numbers in found.items() if numbers[turn] is not None]
        assert present.count("rare") / len(present) == pytest.approx(0.3, abs=0.12)


def test_which_records_get_one_more_depends_on_the_seed_and_not_on_the_order():
    shares = {"rare": 0.33}
    backwards = planned(shares, originals=examples()[::-1])
    assert copies(planned(shares), examples()) == copies(backwards, examples())
    assert copies(planned(shares), examples()) != copies(planned(shares, seed=5), examples())


def test_ranks_are_gathered_from_all_files_and_a_label_may_be_missing_in_one(tmp_path):
    settings = AugmentationSettings(balance={"rare": 0.3, "absent": 0.1})
    wanted = balance.targets(labels, TARGET, settings)
    serialized = [each.SerializeToString() for each in examples()]  # the rare ones come first
    folder = tmp_path / "Split-train"
    folder.mkdir()
    for number, part in enumerate((serialized[:100], serialized[100:])):
        records.write_file(folder / records.shard_name(number, 2), part)

    found = gathering.ranks(str(tmp_path), wanted, settings, pipeline=direct(), shared_dir=str(tmp_path))
    at_once = balance.ranks(examples(), wanted, settings)
    assert found.keys() == at_once.keys()
    assert all(np.array_equal(found[group], at_once[group]) for group in found)
    assert [path.name for path in tmp_path.iterdir()] == ["Split-train"]


def test_a_share_that_copies_cannot_bring_about_is_refused_with_the_factor_that_can():
    with pytest.raises(
        SettingsError, match=r"augment.factor: expected at least 2, got 1: the labels that are not"
    ):
        planned({"rare": 0.3}, factor=1)
    with pytest.raises(
        SettingsError, match=r"expected at least 8, got 3: label common, 0.750 of the train split"
    ):
        planned({"common": 0.1})
    assert enlarged(copies(planned({"common": 0.1}, factor=8), examples()))["common"] == 320


def test_a_label_that_there_is_not_is_refused_with_those_that_there_are():
    with pytest.raises(
        SettingsError,
        match=r"augment.balance: expected a label among rare, common, other, absent, got 'raer'",
    ):
        planned({"raer": 0.3})


def test_a_label_without_records_cannot_have_a_share():
    with pytest.raises(DataError, match="expected records with label absent in the train split"):
        planned({"absent": 0.3})


def test_shares_of_all_labels_add_up_to_one_and_shares_of_some_leave_something():
    with pytest.raises(
        SettingsError, match=r"expected shares that add up to 1, since all labels are named, got 0\.6"
    ):
        planned({name: 0.2 for name in COUNTS})
    with pytest.raises(SettingsError, match="leave something to the labels that are not named"):
        planned({"rare": 0.5, "common": 0.5})


def test_the_written_train_split_has_the_shares_and_every_copy_is_another_one(examples_dir, tmp_path):
    settings = AugmentationSettings(factor=3, balance={"dark": 0.8})
    target = TargetSettings(classes=["dark", "light"])
    wanted = balance.targets(labels, target, settings)
    ranks = gathering.ranks(str(examples_dir), wanted, settings, pipeline=direct(), shared_dir=str(tmp_path))
    augment(
        augmentation,
        str(examples_dir),
        str(tmp_path),
        record=RecordSettings(image=ImageSettings(height=8, width=8, channels=1)),
        settings=settings,
        copies=balance.Copies(ranks, wanted, settings),
        pipeline=direct(),
    )

    written = list(records.read_split(tmp_path, "train"))
    before = records.count(examples_dir, "train")
    dark = [each for each in written if each.features.feature[records.LABEL].int64_list.value[0] == 0]
    assert len(written) == pytest.approx(3 * before, abs=1)
    assert len(dark) == pytest.approx(0.8 * 3 * before, abs=1)
    assert len({records.id_of(each) for each in written}) == len(written)
    assert list(records.read_split(tmp_path, "eval")) == list(records.read_split(examples_dir, "eval"))
