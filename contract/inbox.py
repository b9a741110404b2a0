"""Where new data arrives: a folder for each day, `inbox/<pipeline>/<YYYY-MM-DD>/`, called a span as in TFX.

Whoever brings data and whoever reads it agree here on what a span is and when it is complete. Nothing is read: what
is there is told by names and times. Standard library only.
"""

from __future__ import annotations

import datetime
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from contract.errors import DataError

MARKER = "_COMPLETE"
DATE = re.compile(r"\d{4}-\d{2}-\d{2}")

Completion = Literal["settled", "marker"]


@dataclass(frozen=True, order=True)
class Span:
    """What arrived for one day.

    Attributes:
        date: Of the day.
        path: Its folder.
    """

    date: datetime.date
    path: Path

    def __str__(self) -> str:
        """Returns the date as the folder is called."""
        return self.date.isoformat()


@dataclass(frozen=True)
class Found:
    """The spans of an inbox, by date: those that are complete, and those still being written, with the reason."""

    complete: tuple[Span, ...]
    waiting: dict[Span, str]


def look(inbox: Path, completion: Completion, settle_s: float, now_s: float) -> Found:
    """Finds what an inbox holds.

    Args:
        inbox: Folder of the spans. What begins with `.` or `_` in it is nobody's data yet.
        completion: `marker`: a span is complete once it holds `_COMPLETE`; `settled`: also once nothing in it has
            changed for `settle_s`.
        settle_s: Seconds.
        now_s: Unix time.

    Raises:
        DataError: If there is no such folder, or something in it has no date for a name.
    """
    complete, waiting = [], {}
    for span in _spans(inbox):
        if reason := _why_waiting(span.path, completion, settle_s, now_s):
            waiting[span] = reason
        else:
            complete.append(span)
    return Found(tuple(complete), waiting)


def bring(span: Span, write: Callable[[Path], None]) -> None:
    """Makes a span that is complete at once: whoever looks meanwhile sees all of it or nothing.

    Args:
        span: That does not exist yet.
        write: Writes its files into an empty folder.

    Raises:
        DataError: If the span exists: what a run has learned from stays what it was.
    """
    check_new(span)
    draft = span.path.with_name(f".{span}.{secrets.token_hex(8)}")
    draft.mkdir(parents=True)
    try:
        write(draft)
        (draft / MARKER).touch()
        check_new(span)  # a rename would take the place of a folder that is empty
        draft.rename(span.path)
    except OSError:
        check_new(span)  # somebody else was first
        raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def check_new(span: Span) -> None:
    """Makes sure that there is no such span yet.

    Raises:
        DataError: If there is.
    """
    if span.path.exists():
        raise DataError(
            f"Expected no data of {span} yet, and {span.path} exists. Choose another date; or take "
            "the span away first, if it is to be replaced."
        )


def _spans(inbox: Path) -> list[Span]:
    try:
        names = sorted(entry.name for entry in os.scandir(inbox) if not entry.name.startswith((".", "_")))
    except OSError as error:
        raise DataError(
            f"Expected a folder with one folder per day at {inbox}: {error.strerror}. Bring data there with "
            "`slipway data add`, or change data.path in the pipeline's configuration."
        ) from error
    return [Span(_date_of(name, inbox), inbox / name) for name in names]


def _date_of(name: str, inbox: Path) -> datetime.date:
    try:
        if DATE.fullmatch(name) and (inbox / name).is_dir():
            return datetime.date.fromisoformat(name)
    except ValueError:
        pass
    shown = os.fsencode(name).decode(errors="backslashreplace")
    raise DataError(
        f"Expected folders called by their day, such as 2026-03-31, in {inbox}, got {shown}. Rename it, or take it "
        "away; nothing is read before that."
    )


def _why_waiting(folder: Path, completion: Completion, settle_s: float, now_s: float) -> str:
    """Says what a span lacks to be complete; nothing where it is."""
    if (folder / MARKER).exists():
        return ""
    if completion == "marker":
        return f"it has no {MARKER} yet"
    try:
        quiet_s = now_s - max(_changes(folder))
    except FileNotFoundError:  # between its name and its times
        quiet_s = 0.0
    if quiet_s >= settle_s:
        return ""
    return f"it changed {max(quiet_s, 0):.0f} s ago, and counts as complete after {settle_s:.0f} s without a change"


def _changes(folder: Path) -> Iterator[float]:
    """Yields when anything in a folder was changed last, as Unix times: contents, names or permissions.

    The time of the change and not of the modification: that one a copy brings along from where it was made.
    """
    yield folder.stat().st_ctime
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            yield from _changes(Path(entry.path))
        else:
            yield entry.stat(follow_symlinks=False).st_ctime
