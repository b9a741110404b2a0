import json
import shutil

import pytest

from components import records
from components.errors import DataError
from components.ingestion import sources
from components.ingestion.ingest import ingest
from components.ingestion.settings import IngestionSettings
from components.ingestion.split import split_of


def ids(examples_dir, split):
    return {
        example.features.feature[records.ID].bytes_list.value[0].decode()
        for example in records.read_split(examples_dir, split)
    }


def run(path, target, classes, **changes):
    settings = IngestionSettings(source="image_folder", path=str(path), **changes)
    return ingest(settings, classes, examples_dir=target / "examples", quarantine_dir=target / "quarantine")


def test_a_record_stays_in_its_split_when_others_arrive(image_folder, tmp_path, classes):
    run(image_folder, tmp_path / "before", classes)
    more = tmp_path / "more"
    shutil.copytree(image_folder, more)
    for path in sorted((more / "dark").iterdir())[:50]:
        shutil.copy(path, path.with_name(f"new-{path.name}"))
    run(more, tmp_path / "after", classes)
    for split in records.SPLITS:
        before, after = ids(tmp_path / "before/examples", split), ids(tmp_path / "after/examples", split)
        assert before < after or before == after
        assert before == {name for name in after if "/new-" not in name}


def test_the_shares_of_the_splits_are_those_of_the_settings():
    settings = IngestionSettings(eval_fraction=0.2, test_fraction=0.1)
    splits = [split_of(f"record-{number}", settings) for number in range(5000)]
    assert splits.count("eval") / 5000 == pytest.approx(0.2, abs=0.02)
    assert splits.count("test") / 5000 == pytest.approx(0.1, abs=0.02)


def test_an_unreadable_record_goes_to_quarantine_with_its_reason_and_its_bytes(
    image_folder, tmp_path, classes
):
    broken = tmp_path / "broken"
    shutil.copytree(image_folder, broken)
    (broken / "dark" / "torn.png").write_bytes(b"not an image")
    result = run(broken, tmp_path, classes)
    assert set(result.quarantined) == {"dark/torn.png"}
    (line,) = (tmp_path / "quarantine/quarantine.jsonl").read_text().splitlines()
    entry = json.loads(line)
    assert "expected an image" in entry["reason"]
    assert (tmp_path / "quarantine" / entry["bytes"]).read_bytes() == b"not an image"
    assert sum(result.counts.values()) == 200


def test_a_label_that_is_no_class_goes_to_quarantine(image_folder, tmp_path, classes):
    with pytest.raises(
        DataError, match=r"(?s)100 of 200 records cannot be used.*expected a label among dark, got 'light'"
    ):
        run(image_folder, tmp_path, classes[:1])


def test_a_missing_folder_is_named(tmp_path, classes):
    with pytest.raises(DataError, match=r"expected a folder with one folder per class at .*nowhere"):
        run(tmp_path / "nowhere", tmp_path, classes)


def test_an_empty_folder_is_an_error(tmp_path, classes):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="found no records"):
        run(tmp_path / "empty", tmp_path, classes)


def test_the_digest_changes_with_one_byte_and_with_nothing_else(image_folder, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(image_folder, copy)
    original = sources.digest(IngestionSettings(source="image_folder", path=str(image_folder)))
    settings = IngestionSettings(source="image_folder", path=str(copy))
    assert sources.digest(settings) == original
    path = next((copy / "dark").iterdir())
    path.write_bytes(path.read_bytes() + b"\0")
    assert sources.digest(settings) != original


def test_the_digits_are_1797_and_reach_full_intensity():
    found = list(sources.read(IngestionSettings()))
    assert len(found) == 1797
    image = records.decode_images(records.tf.constant([found[0].image]), records.ImageShape(8, 8, 1))
    assert float(records.tf.reduce_max(image)) > 230
