import apache_beam as beam
import pandas as pd
import pytest

from components import records
from components.families.image import facts as of_images
from components.families.image.data import ImageSettings, RecordSettings
from components.tasks.classification import facts as of_labels
from components.validation import facts as module
from components.validation.facts import columns, facts_of
from pipelines.definition.beam.arguments import of_beam
from pipelines.definition.beam.settings import BeamSettings

RECORD = RecordSettings(image=ImageSettings(height=8, width=8, channels=1))


def table(examples_dir, shared_dir, *options):
    pipeline = beam.Pipeline(argv=of_beam(BeamSettings(options=options)))
    return facts_of(
        str(examples_dir), of_images, of_labels, RECORD, pipeline=pipeline, shared_dir=str(shared_dir)
    )


@pytest.fixture(scope="module")
def plain(examples_dir, tmp_path_factory):
    return table(examples_dir, tmp_path_factory.mktemp("shared"))


@pytest.fixture(scope="module")
def in_parts(examples_dir, tmp_path_factory):
    """The same examples in more files, one of them empty."""
    folder = tmp_path_factory.mktemp("parts")
    for split in records.SPLITS:
        (folder / f"Split-{split}").mkdir()
        every = list(records.read_serialized(examples_dir, split))
        for number, part in enumerate((every[:7], [], every[7:])):
            records.write_file(folder / f"Split-{split}" / records.shard_name(number, 3), part)
    return folder


def test_every_record_has_a_row_in_the_order_of_splits_and_files(examples_dir, plain):
    stored = [
        (records.id_of(example), split)
        for split in records.SPLITS
        for example in records.read_split(examples_dir, split)
    ]
    assert list(zip(plain.id, plain.split, strict=True)) == stored
    assert tuple(plain.columns) == columns(of_images, RECORD)


@pytest.mark.long
@pytest.mark.parametrize("mode", ["in_memory", "multi_threading", "multi_processing"])
def test_the_table_is_the_same_whoever_works_on_however_many_files(in_parts, plain, tmp_path, mode):
    workers = "1" if mode == "in_memory" else "2"
    found = table(in_parts, tmp_path, f"--direct_running_mode={mode}", f"--direct_num_workers={workers}")
    pd.testing.assert_frame_equal(found, plain)
    assert list(tmp_path.iterdir()) == []


def test_a_table_is_made_of_blocks(in_parts, plain, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BLOCK", 3)
    pd.testing.assert_frame_equal(table(in_parts, tmp_path), plain)


def test_without_examples_there_is_a_table_without_rows(tmp_path):
    for split in records.SPLITS:
        records.write_serialized(tmp_path, split, iter(()))
    found = table(tmp_path, tmp_path)
    assert len(found) == 0
    assert tuple(found.columns) == columns(of_images, RECORD)
