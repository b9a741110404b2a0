"""Who reads which slice, and who writes which file, makes no difference."""

import hashlib
import json
import shutil

import pytest

from components import records
from components.families.image import ingestion, sources
from components.families.image.data import DataSettings
from components.families.image.sources import image_folder as of_folders
from components.ingestion import reading
from components.ingestion.harvest import Harvest, Row, range_of
from components.ingestion.parts import Part
from components.ingestion.usable import Usable
from components.source import Source
from components.tasks.classification import labels
from components.tasks.classification.target import TargetSettings
from contract.errors import DataError, UnavailableError

IMAGE = {"height": 8, "width": 8, "channels": 1}
IN_PROCESSES = ("--direct_running_mode=multi_processing", "--direct_num_workers=2")
RUNNERS = {
    "in-threads": ("--direct_running_mode=multi_threading", "--direct_num_workers=3"),
    "in-processes": IN_PROCESSES,
    "each-bundle-twice": ("--direct_runner_bundle_repeat=1",),
}


def usable(path, of=sources, **changes):
    settings = DataSettings(source="image_folder", path=str(path), image=IMAGE, **changes)
    return Usable(of, ingestion, labels, settings, TargetSettings(classes=["dark", "light"]))


@pytest.fixture
def odd_folder(image_folder, tmp_path):
    """The images, with copies, some under the other label, and files that are none."""
    root = shutil.copytree(image_folder, tmp_path / "odd")
    for number in range(0, 100, 7):
        shutil.copy(root / f"dark/{number:03d}.png", root / f"dark/{number:03d}-again.png")
    for number in range(0, 100, 30):
        shutil.copy(root / f"light/{number:03d}.png", root / f"dark/from-light-{number:03d}.png")
        (root / f"light/torn-{number:03d}.png").write_bytes(b"no image %d" % number)
    return root


@pytest.fixture
def small_slices(monkeypatch):
    """Many slices and files of a source that is small."""
    monkeypatch.setattr(of_folders, "IN_A_SLICE", 16)
    monkeypatch.setattr(records, "SHARD_BYTES", 8000)


def left(folder):
    """The bytes of each file of the examples; what is in quarantine; and the bytes there."""
    examples = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((folder / "examples").rglob("*"))
        if path.is_file()
    }
    lines = (folder / "quarantine/quarantine.jsonl").read_text().splitlines()
    bytes_of = {path.name: path.read_bytes() for path in sorted((folder / "quarantine/bytes").iterdir())}
    return examples, [json.loads(line) for line in lines], bytes_of


@pytest.mark.long
@pytest.mark.parametrize("beam_args", RUNNERS.values(), ids=RUNNERS)
def test_whoever_does_the_work_the_same_bytes_come_out(
    odd_folder, tmp_path, ingested, small_slices, beam_args
):
    of = usable(odd_folder, max_quarantined_fraction=0.2)
    one = ingested(of, tmp_path / "one")
    other = ingested(of, tmp_path / "other", beam_args=beam_args)
    assert one == other
    assert (one.duplicates, len(one.quarantined)) == (15, 12)
    assert left(tmp_path / "one") == left(tmp_path / "other")
    assert len(left(tmp_path / "one")[0]) > 6, "several files of each split"


def test_how_a_source_is_cut_makes_no_difference_to_what_comes_out(
    odd_folder, tmp_path, ingested, monkeypatch
):
    of = usable(odd_folder, max_quarantined_fraction=0.2)
    found = []
    for size in (256, 7):
        monkeypatch.setattr(of_folders, "IN_A_SLICE", size)
        found.append(ingested(of, tmp_path / str(size)))
    assert found[0] == found[1]
    (one, listed, kept), (other, *_) = left(tmp_path / "256"), left(tmp_path / "7")
    assert one == other
    assert len(listed) == 12
    disputed = [each for each in listed if each["id"].startswith("dark/from-light")]
    assert [kept[each["bytes"].partition("/")[2]] for each in disputed] == [
        (odd_folder / each["id"]).read_bytes() for each in disputed
    ]


@pytest.mark.long
def test_what_is_wrong_with_the_data_is_said_as_it_is_and_nothing_is_left(
    image_folder, tmp_path, ingested, small_slices
):
    folder = sources.SOURCES["image_folder"]

    def unreachable(settings, names):
        if "dark/050.png" in names:
            raise UnavailableError("Expected an answer.")
        return folder.read(settings, names)

    of = type(
        "Unreachable", (), {"SOURCES": {"image_folder": Source(unreachable, folder.files, folder.slices)}}
    )
    digest = reading.digest(sources, usable(image_folder).settings)
    for number, beam_args in enumerate(((), IN_PROCESSES)):
        target = tmp_path / str(number)
        with pytest.raises(UnavailableError, match=r"^Expected an answer\.$"):
            ingested(
                usable(image_folder, of), target, [Part("", str(image_folder), digest)], beam_args=beam_args
            )
        assert list((target / "examples").iterdir()) == []


def test_of_several_days_those_that_are_as_they_should_be_are_kept_where_a_later_one_is_not(
    image_folder, tmp_path, ingested
):
    days = [shutil.copytree(image_folder, tmp_path / day) for day in ("2026-01-01", "2026-01-02")]
    parts = [Part(day.name, str(day), reading.digest(sources, usable(day).settings)) for day in days]
    (days[1] / "dark/000.png").unlink()
    with pytest.raises(DataError, match="2026-01-02, and read digest"):
        ingested(usable("", spans={}), tmp_path, parts)
    (kept,) = (tmp_path / "spans").iterdir()
    assert kept.name.startswith("2026-01-01-")


def test_a_record_that_changes_before_it_is_set_aside_is_noticed(odd_folder, tmp_path, ingested, monkeypatch):
    of = usable(odd_folder, max_quarantined_fraction=0.2)
    folder = sources.SOURCES["image_folder"]
    digest = reading.digest(sources, of.settings)
    again = tmp_path / "again"

    def changing(settings, names):
        if again.exists():
            (odd_folder / "dark/001.png").write_bytes(b"another one")
        again.touch()
        return folder.read(settings, names)

    noisy = type("Changing", (), {"SOURCES": {"image_folder": Source(changing, folder.files, folder.slices)}})
    with pytest.raises(DataError, match="it changed after `prepare` or while it was read"):
        ingested(
            usable(odd_folder, noisy, max_quarantined_fraction=0.2),
            tmp_path,
            [Part("", str(odd_folder), digest)],
        )


@pytest.mark.parametrize("written", [1, 2, 3, 7])
@pytest.mark.parametrize("asked", [1, 2, 5, 16])
def test_an_index_in_ranges_is_read_in_whatever_other_ranges(tmp_path, written, asked):
    rows = sorted(
        Row(hashlib.sha256(b"%d" % number).hexdigest(), str(number), "dark", "train", "examples-a", 0, 1)
        for number in range(200)
    )
    harvest = Harvest(tmp_path)
    for number in range(written):
        some = [row for row in rows if range_of(row.content, written) == number]
        harvest.write_rows(number, written, some)
    assert [row for number in range(asked) for row in harvest.rows(number, asked)] == rows
