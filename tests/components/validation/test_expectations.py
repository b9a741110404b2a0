import apache_beam as beam
import pandas as pd
import pytest

from components import records
from components.families.image import facts as of_images
from components.families.image.data import ImageSettings, RecordSettings
from components.families.image.settings import ValidationSettings
from components.tasks.classification import facts as of_labels
from components.tasks.classification.settings import ValidationSettings as LabelSettings
from components.tasks.classification.target import TargetSettings
from components.validation import expectations
from components.validation.facts import facts_of
from contract.errors import SettingsError

SETTINGS = {"min_records_per_split": 5}
RECORD = RecordSettings(image=ImageSettings(height=8, width=8, channels=1))
TARGET = TargetSettings(classes=["dark", "light"])


def suite(labels=None, **settings):
    asked = expectations.Labels(of_labels, TARGET, LabelSettings(**(labels or {})))
    return expectations.suite(ValidationSettings(**SETTINGS | settings), of_images, RECORD, asked)


def check(facts, tmp_path, **settings):
    return expectations.run(facts, suite(**settings), docs_dir=tmp_path / "docs", run_name="test")


def read(examples_dir):
    return facts_of(
        str(examples_dir),
        of_images,
        of_labels,
        RECORD,
        pipeline=beam.Pipeline(runner="FnApiRunner"),
        shared_dir=str(examples_dir),
    )


@pytest.fixture(scope="module")
def facts(examples_dir):
    return read(examples_dir)


def test_good_data_breaks_no_expectation_and_has_data_docs(facts, tmp_path):
    assert check(facts, tmp_path) == []
    assert (tmp_path / "docs/index.html").is_file()
    assert list((tmp_path / "docs/validations").rglob("*.html"))


@pytest.mark.parametrize(
    ("column", "value", "named"),
    [
        pytest.param("label", 7, "expect_column_values_to_be_between on label", id="a label too large"),
        pytest.param("label", -1, "expect_column_values_to_be_between on label", id="a label too small"),
        pytest.param("split", "spare", "expect_column_values_to_be_in_set on split", id="an unknown split"),
        pytest.param(
            "std", 0.0, "expect_column_values_to_be_between on std", id="an image of one flat colour"
        ),
        pytest.param(
            "share_of_label",
            0.0009,
            "expect_column_values_to_be_between on share_of_label",
            id="a rare class",
        ),
        pytest.param("width", 1, "expect_column_values_to_be_in_set on width", id="an image too narrow"),
        pytest.param("height", 1, "expect_column_values_to_be_in_set on height", id="an image too low"),
        pytest.param(
            "channels", 2, "expect_column_values_to_be_in_set on channels", id="an odd number of channels"
        ),
    ],
)
def test_each_broken_expectation_is_named(facts, tmp_path, column, value, named):
    broken = facts.copy()
    broken.loc[0, column] = value
    (sentence,) = check(broken, tmp_path)
    assert sentence.startswith(named)


def test_an_id_that_two_records_have_is_named(facts, tmp_path):
    doubled = facts.copy()
    doubled.loc[1, "id"] = doubled.loc[0, "id"]
    (sentence,) = check(doubled, tmp_path)
    assert sentence.startswith("expect_column_values_to_be_unique on id")


def test_a_fact_that_is_missing_is_named(facts, tmp_path):
    (sentence,) = check(facts.drop(columns="sharpness"), tmp_path)
    assert sentence.startswith("expect_table_columns_to_match_set")


def test_a_class_without_examples_is_named(facts, tmp_path):
    (sentence,) = check(facts[facts.label == 0], tmp_path)
    assert "expect_column_distinct_values_to_contain_set on label" in sentence


def test_a_split_with_too_few_records_is_named(facts, tmp_path):
    few = pd.concat([facts[facts.split != "test"], facts[facts.split == "test"].head(2)])
    (sentence,) = check(few, tmp_path)
    assert "expect_table_row_count_to_be_between" in sentence
    assert "test" in sentence


def test_duplicated_images_are_named(facts, tmp_path):
    doubled = facts.copy()
    doubled.loc[1, "digest"] = doubled.loc[0, "digest"]
    share = 2 / len(facts)
    assert check(doubled, tmp_path, max_duplicate_fraction=share) == []
    (sentence,) = check(doubled, tmp_path, max_duplicate_fraction=share - 0.001)
    assert "on digest" in sentence
    assert all(f"{name} (digest" in sentence for name in doubled.id[:2])


def test_what_is_otherwise_is_named_with_its_value_ten_records_at_most(facts, tmp_path):
    flat = facts.copy()
    flat.loc[:11, "std"] = 0.0
    (sentence,) = check(flat, tmp_path)
    assert f"got 12 of {len(facts)} records that are otherwise" in sentence
    assert f": {flat.id[0]} (std 0.0); {flat.id[1]} (std 0.0)" in sentence
    assert sentence.count("(std 0.0)") == 10


def test_an_image_that_is_too_dark_is_named(facts, tmp_path):
    darkest = facts.loc[facts["mean"].idxmin()]
    assert check(facts, tmp_path, mean_intensity=(darkest["mean"], 255)) == []
    (sentence,) = check(facts, tmp_path, mean_intensity=(darkest["mean"] + 0.001, 255))
    assert sentence.startswith("expect_column_values_to_be_between on mean")
    assert f"{darkest.id} (mean" in sentence


def test_a_class_with_too_small_a_share_is_named_down_to_the_very_share(facts, tmp_path):
    few = pd.concat([facts[facts.label == 0], facts[facts.label == 1].head(25)])
    few["share_of_label"] = few.groupby("label")["label"].transform("size") / len(few)
    share = few["share_of_label"].min()
    settings = {"min_records_per_split": 1, "labels": {"min_class_share": share}}
    assert not [each for each in check(few, tmp_path, **settings) if "share_of_label" in each]
    settings["labels"] = {"min_class_share": share + 0.001}
    assert [each for each in check(few, tmp_path, **settings) if "share_of_label" in each]


def test_a_share_that_no_classes_could_reach_is_refused():
    three = TargetSettings(classes=["dark", "grey", "light"])
    with pytest.raises(SettingsError, match=r"min_class_share: expected at most 0\.333, .* got 0\.4"):
        of_labels.expectations(three, LabelSettings(min_class_share=0.4))


BRIGHT = {"type": "expect_column_mean_to_be_between", "kwargs": {"column": "mean", "min_value": 254.0}}


def test_any_expectation_of_great_expectations_can_be_added(facts, tmp_path):
    (sentence,) = check(facts, tmp_path, expectations=[BRIGHT])
    assert sentence.startswith(
        "expect_column_mean_to_be_between on mean: expected {'min_value': 254.0}, got 1"
    )
    (page,) = (tmp_path / "docs/validations").rglob("*.html")
    assert "mean must be greater than or equal to" in " ".join(page.read_text().split())


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"column": "brightness"}, r"expected one of the facts id, split, .*got 'brightness'"),
        ({"column": "sharpnes"}, r"Did you mean sharpness\?"),
        ({"column": "mean", "least": 1}, r"least"),
        ({"min_value": 1}, r"column: .*required"),
    ],
)
def test_an_expectation_that_is_none_on_these_facts_is_refused_before_anything_is_read(kwargs, message):
    wanted = {"type": "expect_column_mean_to_be_between", "kwargs": kwargs}
    with pytest.raises(SettingsError, match=message) as error:
        suite(expectations=[wanted])
    assert "validation.expectations.0 (expect_column_mean_to_be_between)" in str(error.value)


def test_an_expectation_that_cannot_be_evaluated_says_why(facts, tmp_path):
    wanted = {"type": "expect_column_values_to_match_regex", "kwargs": {"column": "id", "regex": "("}}
    (sentence,) = check(facts, tmp_path, expectations=[wanted])
    assert "and it could not be evaluated:" in sentence


def test_an_image_that_two_splits_hold_is_named(examples_dir, tmp_path):
    for split in records.SPLITS:
        found = list(records.read_split(examples_dir, split))
        if split == "test":
            tested = next(records.read_split(examples_dir, "train"))
            tested.features.feature[records.ID].bytes_list.value[0] = b"another name"
            found.append(tested)
        records.write_split(tmp_path / "examples", split, iter(found))
    (sentence,) = check(read(tmp_path / "examples"), tmp_path)
    assert sentence.startswith("expect_column_values_to_be_between on splits_of_digest")
    assert "2" in sentence
