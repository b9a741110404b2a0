"""A record that has to go: which files, and who has learned from them."""

import datetime
import os
from types import SimpleNamespace

import pytest
from PIL import Image

from contract import inbox
from contract.errors import DataError, SettingsError
from contract.inbox import Span
from contract.run_folder import RUN, RunFolder
from contract.state import StateFolder
from pipelines.definition import config
from pipelines.retention import removal
from pipelines.runs import spans

PIPELINE = """
data:
  source: image_folder
  classes: [dark, light]
  image: {height: 8, width: 8, channels: 1}
  spans: {}
"""
DAYS = ("2026-03-01", "2026-03-02", "2026-03-03")


class Registry:
    """Versions by the run that made each; all that is asked of a registry here."""

    def __init__(self, *runs):
        self.runs = runs

    def versions(self, name):
        return [
            SimpleNamespace(version=str(n), tags={"slipway.run_id": run})
            for n, run in enumerate(self.runs, 1)
        ]


@pytest.fixture
def flowers(tmp_path, monkeypatch):
    """Three days; the same picture is in the first and the last."""
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs/flowers.yaml").write_text(PIPELINE)
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SLIPWAY_CONFIGS", str(tmp_path / "configs"))
    root = StateFolder.from_environment().inbox / "flowers"
    for number, day in enumerate(DAYS):

        def write(folder, number=number):
            (folder / "dark").mkdir()
            Image.new("L", (8, 8), 10 + number).save(folder / "dark" / f"own{number}.png")
            if number != 1:
                Image.new("L", (8, 8), 99).save(folder / "dark" / os.fsdecode(b"same\xff.png"))

        inbox.bring(Span(datetime.date.fromisoformat(day), root / day), write)
    return config.load("flowers")


def learned(run_id, *days):
    """A run that was prepared on some days."""
    folder = RunFolder.here("flowers", run_id)
    seen = spans.Seen(folder.pipeline_dir, config.load("flowers"))
    root = StateFolder.from_environment().inbox / "flowers"
    folder.write(RUN, {"data": [seen.part(day, str(root / day))._asdict() for day in days]})


def test_a_record_goes_from_every_span_and_who_learned_from_it_is_named(flowers):
    learned("first", DAYS[0])
    learned("second", DAYS[1])
    learned("third", *DAYS[1:])
    record = rf"{DAYS[0]}/dark/same\xff.png"
    found = removal.find(flowers, record, Registry("first", "second", "third", "gone"))
    assert found.ids == (record, record.replace(DAYS[0], DAYS[2]))
    assert (found.seen_by, found.unknown) == ((1, 3), (4,))
    removal.remove(flowers, record, found)
    root = StateFolder.from_environment().inbox / "flowers"
    assert sorted(path.name for path in root.glob("*/dark/*")) == ["own0.png", "own1.png", "own2.png"]


def test_of_a_version_that_learned_from_a_span_that_is_another_one_now_it_cannot_be_told(flowers):
    learned("first", DAYS[0])
    (StateFolder.from_environment().inbox / "flowers" / DAYS[0] / "dark/own0.png").unlink()
    found = removal.find(flowers, rf"{DAYS[0]}/dark/same\xff.png", Registry("first"))
    assert (found.seen_by, found.unknown) == ((), (1,))


def test_what_was_kept_of_the_spans_goes_too(flowers):
    kept = StateFolder.from_environment().pipelines / "flowers/spans"
    for day in DAYS:
        (kept / f"{day}-key").mkdir(parents=True)
    record = f"{DAYS[1]}/dark/own1.png"
    removal.remove(flowers, record, removal.find(flowers, record, Registry()))
    assert {path.name for path in kept.iterdir()} == {f"{DAYS[0]}-key", f"{DAYS[2]}-key"}


@pytest.mark.parametrize("record", ["own0.png", f"{DAYS[0]}/dark/nobody.png", "2026-04-01/dark/own0.png"])
def test_a_record_that_is_not_there_is_named(flowers, record):
    with pytest.raises(DataError, match="Expected"):
        removal.find(flowers, record, Registry())


def test_a_record_that_is_no_file_of_its_own_is_left_to_a_person(flowers):
    record = f"{DAYS[1]}/dark/own1.png"
    found = removal.find(flowers, record, Registry())
    table = flowers.model_copy(update={"data": flowers.data.model_copy(update={"source": "image_csv"})})
    with pytest.raises(
        SettingsError, match=f"take the record out of the source by hand. It is there as {record}"
    ):
        removal.remove(table, record, found)
