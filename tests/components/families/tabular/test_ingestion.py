import json
from types import SimpleNamespace

import pytest
from pydantic import ValidationError

from components import records
from components.families.tabular import ingestion, sources
from components.families.tabular.data import DataSettings, input_name
from components.ingestion import reading
from components.ingestion.split import split_of
from components.ingestion.usable import Usable
from components.tasks.classification import labels
from components.tasks.classification.target import TargetSettings
from components.validation import facts
from contract.errors import DataError

COLUMNS = ["mean radius", "area (mm2)"]
TARGET = TargetSettings(classes=["benign", "malignant"])
HEADER = "key,more,unused,mean radius,area_mm2_,diagnosis"


def settings(path, **changes):
    wanted = {"columns": COLUMNS, "label_column": "diagnosis", "id_column": "key", "eval_fraction": 0.3}
    return DataSettings(source="csv", path=str(path), test_fraction=0.3, **wanted | changes)


def good_rows(count=100):
    return [f"r{n},x,,{n}.5,{n * n},{TARGET.classes[n % 2]}" for n in range(count)]


@pytest.fixture
def table(tmp_path):
    def write(*rows, header=HEADER, end="\n"):
        path = tmp_path / "table.csv"
        lines = [header, *rows]
        path.write_bytes(
            end.encode().join(each if isinstance(each, bytes) else each.encode() for each in lines)
        )
        return path

    return write


def read(path, **changes):
    return list(reading.read(sources, settings(path, **changes)))


def problem(record, found):
    try:
        Usable(sources, ingestion, labels, found, TARGET).example(record, record.id)
    except ValueError as error:
        return str(error)


@pytest.fixture
def run(ingested):
    def on(path, target, **changes):
        return ingested(Usable(sources, ingestion, labels, settings(path, **changes), TARGET), target)

    return on


@pytest.mark.parametrize(
    ("column", "name"),
    [
        ("mean radius", "mean_radius"),
        ("area (mm2)", "area_mm2_"),
        ("Übergröße", "_bergr_e"),
        ("a__b", "a__b"),
    ],
)
def test_every_run_of_other_characters_becomes_one_underscore(column, name):
    assert input_name(column) == name


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["a b", "a-b"], "expected distinct inputs, got 'a b' and 'a-b', both 'a_b'"),
        (["Mean", "mean"], "got 'Mean' and 'mean', both 'mean' in upper or lower case"),
        (["label"], "splits_of_digest, self nor a keyword of Python, got 'label'"),
        (["split"], "nor a keyword of Python, got 'split'"),
        (["class"], "got 'class'"),
        (["1st"], "expected names that begin with a letter .* got '1st'"),
    ],
)
def test_a_column_that_could_be_no_input_is_refused(tmp_path, columns, message):
    with pytest.raises(ValidationError, match=message):
        settings(tmp_path / "table.csv", columns=columns)


def test_no_column_is_called_as_a_fact_of_any_example(tmp_path):
    family = SimpleNamespace(columns=lambda record: [])
    for name in (*facts.columns(family, None), records.WEIGHT, "self"):
        with pytest.raises(ValidationError):
            settings(tmp_path, columns=[name])


def test_the_header_is_matched_by_the_names_of_the_inputs_wherever_the_columns_stand(table, tmp_path, run):
    path = table(*good_rows(), header="key,more,unused,mean-radius,area (mm2),diagnosis")
    result = run(path, tmp_path)
    assert (sum(result.counts.values()), result.quarantined) == (100, {})
    found = {
        records.id_of(example): example
        for split in records.SPLITS
        for example in records.read_split(tmp_path / "examples", split)
    }
    feature = found["r3"].features.feature
    assert (feature["mean_radius"].float_list.value[0], feature["area_mm2_"].float_list.value[0]) == (3.5, 9)
    assert feature[records.LABEL].int64_list.value[0] == 1


def test_a_table_may_say_the_split_of_a_record_and_what_it_may_say(table):
    path = table("a,test,,1,2,benign", "b,,,1,2,benign", "c,holdout,,1,2,benign")
    found = read(path, split_column="more")
    assert [(record.id, record.split) for record in found] == [("a", "test"), ("b", ""), ("line-4", "")]
    assert found[2].problem == "expected the split train, eval, test or none, got 'holdout'"
    assert {record.split for record in read(path)} == {""}


def test_a_table_may_say_how_much_a_record_counts(table, tmp_path, run):
    bad = ("bad,x,,1,4,benign", "worse,x,0,1,4,benign")
    path = table(*(row.replace(",,", f",{1 + number % 3},") for number, row in enumerate(good_rows())), *bad)
    result = run(path, tmp_path, weight_column="unused", max_quarantined_fraction=0.1)
    wrong = "expected a finite number above 0 as the weight, got"
    assert result.quarantined == {"bad": f"{wrong} nothing", "worse": f"{wrong} '0'"}
    found = [each for split in records.SPLITS for each in records.read_split(tmp_path / "examples", split)]
    assert {records.id_of(each): records.weight_of(each) for each in found} == {
        f"r{number}": 1 + number % 3 for number in range(100)
    }
    with pytest.raises(
        ValidationError, match=r"weight_column beside the features, got 'mean_radius' among them"
    ):
        settings(path, weight_column="mean radius")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        pytest.param(
            "bad,x,,,4,benign",
            "expected a finite number in the column 'mean radius', got nothing",
            id="empty",
        ),
        pytest.param("bad,x,,nan,4,benign", "got 'nan'", id="NaN"),
        pytest.param("bad,x,,-inf,4,benign", "got '-inf'", id="infinite"),
        pytest.param("bad,x,,1e39,4,benign", "got '1e39'", id="too large for float32"),
        pytest.param("bad,x,,1,four,benign", "in the column 'area (mm2)', got 'four'", id="a word"),
        pytest.param("bad,x,,1_000,4,benign", "got '1_000'", id="what only Python reads"),
        pytest.param(
            "bad,x,,1,4,healthy", "expected a label among benign, malignant, got 'healthy'", id="label"
        ),
        pytest.param("bad,x,,1,4", "expected 6 fields, as the header has, got 5", id="too few fields"),
        pytest.param("bad,x,,1,4,benign,0", "got 7", id="too many fields"),
        pytest.param(",x,,1,4,benign", "expected an id, got nothing", id="no id"),
        pytest.param("r7,x,,1,4,benign", "expected an id that no line above has, got 'r7'", id="an id twice"),
        pytest.param('bad,"x,,1,4,benign', "expected a line of CSV", id="a quote that is not closed"),
        pytest.param(b"bad,x,,\xff,4,benign", r"got '\\xff'", id="not UTF-8"),
        pytest.param("bad,x,,1\0,4,benign", "expected", id="a NUL"),
    ],
)
def test_a_row_that_cannot_be_used_goes_to_quarantine_with_its_reason_and_takes_no_other_along(
    table, tmp_path, row, reason, run
):
    good = good_rows()
    path = table(*good[:50], row, *good[50:])
    result = run(path, tmp_path, max_quarantined_fraction=0.1)
    assert sum(result.counts.values()) == 100
    (said,) = result.quarantined.values()
    assert reason in said
    (line,) = (tmp_path / "quarantine/quarantine.jsonl").read_text().splitlines()
    assert (tmp_path / "quarantine" / json.loads(line)["bytes"]).read_bytes()


def test_a_file_as_a_spreadsheet_writes_it_is_read(table):
    path = table(*good_rows(), "", header="\ufeff" + HEADER, end="\r\n")
    found = read(path)
    assert len(found) == 100
    assert all(problem(record, settings(path)) is None for record in found)


def test_without_ids_a_row_is_called_by_its_content_wherever_it_stands(table):
    rows = ["1,2,benign", "3,4,malignant", "1,2,benign"]
    there = {"header": "mean radius,area (mm2),diagnosis"}
    before = [record.id for record in read(table(*rows, **there), id_column="")]
    after = [record.id for record in read(table("5,6,benign", *rows, **there), id_column="")]
    assert after[1:] == before
    assert len(set(before)) == 3


def test_rows_that_are_the_same_to_a_model_share_a_split_however_their_numbers_are_written(table):
    path = table("a,x,,0.10,4,benign", "b,x,,1e-1,4.0,malignant", "c,x,, 0.1 ,4,benign", header=HEADER)
    hashes = {record.content_hash for record in read(path)}
    assert len(hashes) == 1
    assert len({record.content for record in read(table("a,x,,-0.0,4,benign", "b,x,,0,4,benign"))}) == 1
    assert split_of(hashes.pop(), settings(path)) in records.SPLITS


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (
            "key,mean radius,diagnosis",
            r"Expected one column 'area \(mm2\)' in .*table.csv, and there are none",
        ),
        ("key,mean radios,area (mm2),diagnosis", "'mean radius' .* none: there is 'mean radios'"),
        ("key,mean radius,mean_radius,area (mm2),diagnosis", "'mean radius' .* 2 of them"),
        ("key,mean radius,area (mm2),class", "'diagnosis'"),
        ("mean radius,area (mm2),diagnosis", "'key'"),
    ],
)
def test_a_header_that_lacks_a_column_or_has_it_twice_is_an_error_that_names_it(table, header, message):
    with pytest.raises(DataError, match=message):
        read(table("1", header=header))


def test_a_file_that_is_missing_or_empty_is_named(table, tmp_path):
    with pytest.raises(DataError, match=r"expected a CSV file at .*nowhere.csv.*No such file"):
        read(tmp_path / "nowhere.csv")
    with pytest.raises(DataError, match=r"expected a header and records in .*table.csv"):
        read(table(header=""))


def test_the_biopsies_are_569_and_each_can_be_used():
    found = DataSettings(source="breast_cancer", columns=["mean radius", "worst concave points"])
    rows = list(reading.read(sources, found))
    assert len(rows) == 569
    assert all(problem(record, found) is None for record in rows)
    with pytest.raises(DataError, match="'mean radios' in scikit-learn's breast cancer data"):
        list(reading.read(sources, found.model_copy(update={"columns": ["mean radios"]})))


def test_a_column_that_is_there_twice_is_said_to_be(table):
    with pytest.raises(DataError, match=r"there are 2 of them\. "):
        read(table(*good_rows(1), header="key,more,mean-radius,mean radius,area (mm2),diagnosis"))


def test_a_header_that_is_nothing_like_what_was_expected_is_shown(table):
    with pytest.raises(
        DataError, match=r"there are none: got 'key;more;.*'\. Columns are separated by commas\."
    ):
        read(table(header=HEADER.replace(",", ";")))
