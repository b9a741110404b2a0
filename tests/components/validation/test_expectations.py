import pandas as pd
import pytest

from components import records
from components.families.image import facts as of_images
from components.families.image.data import ImageSettings, RecordSettings
from components.families.image.settings import ValidationSettings
from components.tasks.classification import facts as of_labels
from components.tasks.classification.target import TargetSettings
from components.validation import expectations
from components.validation.facts import facts_of

SETTINGS = ValidationSettings(min_records_per_split=5)
RECORD = RecordSettings(image=ImageSettings(height=8, width=8, channels=1))
TARGET = TargetSettings(classes=["dark", "light"])


def check(facts, tmp_path):
    suite = expectations.suite(SETTINGS, of_images, of_labels, RECORD, TARGET)
    return expectations.run(facts, suite, docs_dir=tmp_path / "docs", run_name="test")


def read(examples_dir):
    return facts_of(str(examples_dir), of_images, of_labels, RECORD)


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
    (sentence,) = check(facts.drop(columns="mean"), tmp_path)
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
    doubled["digest"] = doubled["digest"].iloc[0]
    (sentence,) = check(doubled, tmp_path)
    assert "on digest" in sentence


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
