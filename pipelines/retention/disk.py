"""Removes folders whole or not at all, as far as a reader can tell: renamed aside, then deleted."""

import secrets
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from components.storage import listing

ASIDE = ".going-"
# Where something may lie aside, below a pipeline's folder.
PLACES = (
    "artifacts/*/*",
    "artifacts/*/.system/executor_execution",
    "runs/*",
    "runs/*/nodes",
    "live",
    "spans",
    listing.FOLDER,
)


def size(path: Path) -> int:
    """Returns the bytes of a file, or of all files below a folder; 0 for what is gone. Links are not followed."""
    try:
        if path.is_dir() and not path.is_symlink():
            return sum(size(each) for each in path.iterdir())
        return path.lstat().st_size
    except FileNotFoundError:
        return 0


def written_at(path: Path) -> float:
    """Returns when a file was written, or an entry of a folder, in seconds since the epoch; 0 for what is gone."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def put_aside(path: Path) -> Path | None:
    """Renames a file or folder, so that nobody finds half of it; returns its new path, `None` where it is gone."""
    aside = path.with_name(f"{ASIDE}{path.name}.{secrets.token_hex(8)}")
    try:
        return path.rename(aside)
    except FileNotFoundError:
        return None


def put_aside_unused(path: Path, since: float) -> None:
    """Renames what was not used since a time, in seconds since the epoch.

    Whoever uses a folder sets its time to now before reading it.
    """
    if written_at(path) <= since and (lying := put_aside(path)) and written_at(lying) > since:
        with suppress(OSError):  # where whoever took it in between has missed it, and made it again
            lying.rename(path)


def aside(pipeline_dir: Path) -> Iterator[Path]:
    """Yields what was put aside and not deleted yet, by whichever process."""
    for place in PLACES:
        yield from pipeline_dir.glob(f"{place}/{ASIDE}*")


def delete(path: Path) -> None:
    """Deletes what was put aside. What a link leads to stays."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
