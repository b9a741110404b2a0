import hashlib
import json
import logging
import os
import re
import shutil
from itertools import groupby
from types import SimpleNamespace

import apache_beam as beam
import pytest

from components import records
from components.families.image import facts as image_facts
from components.families.image import ingestion, pixels, sources
from components.families.image.data import DataSettings, ImageSettings
from components.ingestion import reading
from components.ingestion.parts import Part
from components.ingestion.split import split_of
from components.ingestion.usable import Usable
from components.source import Source
from components.tasks.classification import facts as label_facts
from components.tasks.classification import labels
from components.tasks.classification.target import TargetSettings
from components.validation.facts import facts_of
from contract import errors, exit_codes
from contract.errors import DataError


def size(channels=1):
    return ImageSettings(height=8, width=8, channels=channels)


def folder(path):
    return DataSettings(source="image_folder", path=str(path), image=size())


def digest(path):
    return reading.digest(sources, folder(path))


def ids(examples_dir, split):
    return {
        example.features.feature[records.ID].bytes_list.value[0].decode()
        for example in records.read_split(examples_dir, split)
    }


def ordered(examples_dir, split):
    return [records.id_of(example) for example in records.read_split(examples_dir, split)]


def usable(path, classes, of=sources):
    return Usable(of, ingestion, labels, folder(path), TargetSettings.model_construct(classes=classes))


@pytest.fixture
def run(ingested):
    def on(path, target, classes, expected_digest=None, of=sources):
        parts = [Part("", str(path), expected_digest)] if expected_digest else None
        return ingested(usable(path, classes, of), target, parts)

    return on


def test_a_record_stays_in_its_split_when_others_arrive(image_folder, tmp_path, classes, run):
    run(image_folder, tmp_path / "before", classes)
    more = tmp_path / "more"
    shutil.copytree(image_folder, more)
    for path in sorted((more / "dark").iterdir())[:50]:
        path.with_name(f"new-{path.name}").write_bytes(path.read_bytes() + b"\0")
    run(more, tmp_path / "after", classes)
    for split in records.SPLITS:
        before, after = ids(tmp_path / "before/examples", split), ids(tmp_path / "after/examples", split)
        assert before < after or before == after
        assert before == {name for name in after if "/new-" not in name}


def test_the_shares_of_the_splits_are_those_of_the_settings():
    settings = DataSettings(image=size(), eval_fraction=0.2, test_fraction=0.1)
    splits = [split_of(hashlib.sha256(b"image %d" % number).digest(), settings) for number in range(5000)]
    assert splits.count("eval") / 5000 == pytest.approx(0.2, abs=0.02)
    assert splits.count("test") / 5000 == pytest.approx(0.1, abs=0.02)


def test_the_same_image_is_kept_once_and_counted_whatever_it_is_called(image_folder, tmp_path, classes, run):
    more = tmp_path / "more"
    shutil.copytree(image_folder, more)
    for path in sorted((more / "dark").iterdir())[:30]:
        shutil.copy(path, path.with_name(f"copy-of-{path.name}"))
    result = run(more, tmp_path / "more-ingested", classes)
    run(image_folder, tmp_path / "once", classes)
    assert result.duplicates == 30
    for split in records.SPLITS:
        assert ids(tmp_path / "more-ingested/examples", split) == ids(tmp_path / "once/examples", split)


def test_the_same_image_under_two_labels_is_learned_under_none(image_folder, tmp_path, classes, run):
    more = tmp_path / "more"
    shutil.copytree(image_folder, more)
    shutil.copy(more / "dark/000.png", more / "light/same.png")
    result = run(more, tmp_path, classes)
    both = "expected one label for the same content, got {!r} too, by {}"
    assert result.quarantined == {
        "dark/000.png": both.format("light", "light/same.png"),
        "light/same.png": both.format("dark", "dark/000.png"),
    }
    stored = set().union(*(ids(tmp_path / "examples", split) for split in records.SPLITS))
    assert not stored & result.quarantined.keys()
    assert len(stored) == 199


def test_a_class_that_cannot_be_in_every_split_is_named(image_folder, tmp_path, classes, run):
    few = shutil.copytree(image_folder, tmp_path / "few")
    images = sorted((few / "dark").iterdir())
    for path in images[3:]:
        path.unlink()
    run(few, tmp_path / "three", classes)
    images[2].unlink()
    with pytest.raises(DataError, match=r"of each class, one for each of train, eval, test, got 2 of 'dark'"):
        run(few, tmp_path / "two", classes)
    shutil.copy(images[0], few / "dark/again.png")
    with pytest.raises(DataError, match="got 2 of 'dark'"):
        run(few, tmp_path / "the same twice", classes)


def test_an_unreadable_record_goes_to_quarantine_with_its_reason_and_its_bytes(
    image_folder, tmp_path, classes, run
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


def test_too_many_records_that_cannot_be_used_are_an_error_with_the_reasons_and_where_to_see_them(
    image_folder, tmp_path, classes, run
):
    mixed = shutil.copytree(image_folder, tmp_path / "mixed")
    (mixed / "dark/zero.png").touch()
    with pytest.raises(DataError) as caught:
        run(mixed, tmp_path, classes[:1])
    first, *reasons, last = str(caught.value).splitlines()
    assert first.startswith("101 of 201 records cannot be used; at most 1.00% may be (data.max_quarantined")
    assert reasons == [
        "  - light/000.png: expected a label among dark, got 'light' (and 99 more like it)",
        "  - dark/zero.png: expected an image, got an empty file",
    ]
    assert last.startswith("The page quarantine.html on the MLflow run of `ingest` shows them.")


def test_as_many_as_the_configuration_allows_are_no_error(image_folder, tmp_path, classes, run):
    mixed = shutil.copytree(image_folder, tmp_path / "mixed")
    for number in range(2):
        (mixed / f"dark/zero{number}.png").touch()
    assert len(run(mixed, tmp_path / "two", classes).quarantined) == 2  # of 202: 0.99 %
    (mixed / "dark/zero2.png").touch()
    with pytest.raises(DataError, match="3 of 203 records cannot be used"):
        run(mixed, tmp_path / "three", classes)


def test_a_missing_folder_is_named(tmp_path, classes, run):
    with pytest.raises(DataError, match=r"Expected a folder with one folder per class at .*nowhere"):
        run(tmp_path / "nowhere", tmp_path, classes)


def test_an_empty_folder_is_an_error(tmp_path, classes, run):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="found no records"):
        run(tmp_path / "empty", tmp_path, classes)


def test_the_digest_changes_with_one_byte_and_with_nothing_else(image_folder, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(image_folder, copy)
    original = digest(image_folder)
    assert digest(copy) == original
    path = next((copy / "dark").iterdir())
    path.write_bytes(path.read_bytes() + b"\0")
    assert digest(copy) != original


def test_data_that_changed_since_it_was_named_is_refused_with_both_digests(
    image_folder, tmp_path, classes, run
):
    named = digest(image_folder)
    changed = tmp_path / "changed"
    shutil.copytree(image_folder, changed)
    (changed / "dark" / "000.png").unlink()
    now = digest(changed)
    with pytest.raises(DataError, match=f"(?s)digest {named[:12]}.*digest {now[:12]}.*Clear `ingest`"):
        run(changed, tmp_path, classes, expected_digest=named)
    assert not list((tmp_path / "examples").iterdir())


def test_data_that_changes_while_it_is_read_is_refused(image_folder, tmp_path, classes, monkeypatch, run):
    changing = tmp_path / "changing"
    shutil.copytree(image_folder, changing)
    named = digest(changing)
    features = ingestion.features

    def write_meanwhile(record, settings):
        (changing / "light" / "099.png").write_bytes((changing / "dark" / "000.png").read_bytes())
        return features(record, settings)

    monkeypatch.setattr(ingestion, "features", write_meanwhile)
    with pytest.raises(DataError, match=f"digest {named[:12]}"):
        run(changing, tmp_path, classes, expected_digest=named)


def test_a_file_that_vanishes_while_the_data_is_read_is_named(image_folder, tmp_path):
    changing = tmp_path / "changing"
    shutil.copytree(image_folder, changing)
    found = reading.read(sources, folder(changing))
    next(found)
    (changing / "dark" / "099.png").unlink()
    with pytest.raises(DataError, match=r"dark/099.png has vanished. .*clear `ingest`"):
        list(found)


def test_a_file_name_that_is_not_utf_8_is_a_record_like_any_other(image_folder, tmp_path, classes, run):
    odd = tmp_path / "odd"
    shutil.copytree(image_folder, odd)
    dark = odd / "dark"
    (dark / "000.png").rename(dark / os.fsdecode(b"\xff.png"))
    (dark / "001.png").rename(dark / r"\xff.png")
    (dark / os.fsdecode(b"\xfe.png")).write_bytes(b"not an image")
    assert run(odd, tmp_path, classes, expected_digest=digest(odd)).quarantined.keys() == {r"dark/\xfe.png"}
    stored = set().union(*(ids(tmp_path / "examples", split) for split in records.SPLITS))
    assert {r"dark/\xff.png", r"dark/\\xff.png"} < stored, "two files, two ids"
    facts = facts_of(
        str(tmp_path / "examples"),
        image_facts,
        label_facts,
        folder(odd),
        pipeline=beam.Pipeline(runner="FnApiRunner"),
        shared_dir=str(tmp_path),
    )
    assert r"dark/\xff.png" in set(facts.id)
    (line,) = (tmp_path / "quarantine/quarantine.jsonl").read_text().splitlines()
    assert json.loads(line)["id"] == r"dark/\xfe.png"


def test_the_digits_are_1797_and_reach_full_intensity():
    found = list(reading.read(sources, DataSettings(image=size())))
    assert len(found) == 1797
    image = pixels.decode_stored(records.tf.constant([found[0].content]), size())
    assert float(records.tf.reduce_max(image)) > 230


def test_classes_that_a_source_sorts_are_mixed_in_every_split(image_folder, tmp_path, classes, run):
    run(image_folder, tmp_path, classes)
    for split in records.SPLITS:
        found = [record.split("/")[0] for record in ordered(tmp_path / "examples", split)]
        assert max(len(list(same)) for _, same in groupby(found)) <= 0.15 * 160


def test_the_order_of_the_source_makes_no_difference(image_folder, tmp_path, classes, run):
    def turned(settings):
        yield from reversed(list(reading.read(sources, settings)))

    run(image_folder, tmp_path / "one", classes)
    of = SimpleNamespace(SOURCES={"image_folder": Source(turned, files=lambda settings: ())})
    run(image_folder, tmp_path / "other", classes, of=of)
    for split in records.SPLITS:
        one, other = (
            list(records.read_split(tmp_path / each / "examples", split)) for each in ("one", "other")
        )
        assert one == other


def test_nothing_but_the_splits_is_left_behind(image_folder, tmp_path, classes, run):
    run(image_folder, tmp_path, classes)
    found = {path.name for path in (tmp_path / "examples").iterdir()}
    assert found == {"Split-train", "Split-eval", "Split-test"}


def test_many_bytes_are_written_to_several_files_in_one_order(
    image_folder, tmp_path, classes, run, monkeypatch
):
    run(image_folder, tmp_path / "one", classes)
    monkeypatch.setattr(records, "SHARD_BYTES", 4000)
    run(image_folder, tmp_path / "several", classes)
    names = [path.rpartition("/")[2] for path in records.split_files(tmp_path / "several/examples", "train")]
    assert len(names) > 3
    assert names[-1] == f"data_tfrecord-{len(names) - 1:05d}-of-{len(names):05d}.gz"
    for split in records.SPLITS:
        assert ordered(tmp_path / "several/examples", split) == ordered(tmp_path / "one/examples", split)


def test_a_disk_that_is_full_is_said_to_be_wherever_that_shows_and_with_more_room_it_works(
    image_folder, tmp_path, classes, small_disk, run, caplog
):
    caplog.set_level(logging.CRITICAL, "apache_beam")  # what pytest keeps of its errors would keep files open
    disk, stages, failures = tmp_path / "disk", set(), []
    disk.mkdir()
    for kilobytes in range(16, 1000, 8):
        small_disk(disk, kilobytes)
        try:
            result = run(image_folder, disk, classes)
            break
        except Exception as error:
            stages.update(re.findall(r"while running '(\w+)", str(error)))
            failures.append(errors.explain(error, ""))
            shutil.rmtree(disk / "examples", ignore_errors=True)  # as TFX does
    assert {each.exit_code for each in failures} == {exit_codes.TEMPORARY}
    assert all(each.message.startswith("Expected room on the disk for what is written") for each in failures)
    assert {"Examine", "Write"} <= stages, "full while records were read, and while they were written"
    for split, count in result.counts.items():
        assert records.count(disk / "examples", split) == count
    assert sum(result.counts.values()) == 200
