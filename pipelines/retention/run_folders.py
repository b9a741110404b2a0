"""The folders of runs: how old they are, and how what they hold is taken from a run that nobody goes on with."""

import datetime
import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from contract.run_folder import COLLECTED, NODES, REQUEST, RUN, RUN_ID, SUMMARY, WORK, RunFolder
from contract.state import StateFolder
from pipelines.definition.nodes import PREPARE
from pipelines.retention import disk
from pipelines.retention.window import Run


def known(home: Path, pipeline: str, recorded: Mapping[str, float]) -> list[Run]:
    """Returns the runs of a pipeline that have a folder, or that ML Metadata knows.

    Args:
        home: Of the stack's state.
        pipeline: Name.
        recorded: When ML Metadata heard of a run last, in seconds since the epoch, by run id.
    """
    folders = (StateFolder(home).pipelines / pipeline / "runs").glob("*")
    there = {each.name for each in folders if each.is_dir() and RUN_ID.fullmatch(each.name)}
    return [
        look(RunFolder(home, pipeline, run), recorded.get(run, 0.0)) for run in sorted({*there, *recorded})
    ]


def look(folder: RunFolder, recorded_at: float) -> Run:
    """Returns what is known of a run.

    Args:
        folder: Of the run.
        recorded_at: When ML Metadata heard of it last, in seconds since the epoch; 0 for never.
    """
    return Run(
        folder.run_id,
        max([recorded_at, *(disk.written_at(each) for each in _records(folder))]),
        has_ended=(folder.path / SUMMARY).is_file(),
        is_collected=(folder.path / COLLECTED).is_file(),
    )


def _records(folder: RunFolder) -> list[Path]:
    """Returns what a run's folder says of the run, but that it was collected."""
    found = [*folder.path.glob("*.json"), *(folder.path / NODES).glob("*.json")]
    return [each for each in found if each.name != COLLECTED]


def is_at_work(folder: RunFolder) -> bool:
    """Returns whether an attempt at a node of a run is going on."""
    return any(_is_locked(each) for each in (folder.path / NODES).glob("*.lock"))


def _is_locked(path: Path) -> bool:
    with path.open("a") as file:
        return not _lock(file)


def _lock(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _alone_with(folder: RunFolder) -> Iterator[bool]:
    """Keeps a run from being prepared again; yields whether nobody is at work on it."""
    lock = folder.lock_file(PREPARE)
    lock.parent.mkdir(parents=True, exist_ok=True)
    nobody = not is_at_work(folder)
    with lock.open("a") as file:
        yield nobody and _lock(file)


def removable(folder: RunFolder, *, with_records: bool) -> list[Path]:
    """Returns what goes of a run's folder: checkpoints, and the records where no version names the run.

    The request stays: whoever starts the run again may have written it anew a moment ago.
    """
    work = [folder.path / WORK] if (folder.path / WORK).is_dir() else []
    records = [each for each in _records(folder) if each.name != REQUEST] if with_records else []
    return [*records, *work]


def take(run: Run, folder: RunFolder, recorded_at: float, because: str, *, with_records: bool) -> bool:
    """Takes from a run what it holds; returns whether it could be: not where somebody goes on with it.

    The note comes first: whoever goes on with the run from then on is told. Killed on the way, it is done again.

    Args:
        run: As it was when it was found to be too old.
        folder: Of the run.
        recorded_at: When ML Metadata heard of it last.
        because: Why, in words.
        with_records: Whether what the run's folder says of it goes too.
    """
    if not folder.path.is_dir():
        return True
    with _alone_with(folder) as alone:
        if not alone or look(folder, recorded_at) != run:
            return False
        if not run.is_collected:
            at = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
            folder.write(COLLECTED, {"at": at, "because": because})
        for path in sorted(removable(folder, with_records=with_records), key=lambda path: path.name != RUN):
            disk.put_aside(path)
    return True
