"""Records that cannot be used, set aside: each is listed with its reason, and its bytes are kept within limits."""

import hashlib
import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from components.source import RawRecord

LISTING = "quarantine.jsonl"
BYTES = "bytes"

# What is kept of records is there for a look: their source has them whole.
KEPT_OF_A_RECORD = 16 * 2**20
KEPT_OF_A_SLICE = 32 * 2**20
KEPT_IN_ALL = 256 * 2**20
LONGEST_TEXT = 1000  # characters of an id, a label or a reason: a source may have anything there
TOLD = 5

ADDRESS = re.compile(r"<[^<>]* at 0x[0-9a-f]+>")


class Quarantine:
    """Takes the records that cannot be used.

    Args:
        folder: Has the folder `bytes`.
        listing: Open for writing.
        room: Bytes of records that are kept.

    Attributes:
        name: Of the listing.
        count: Of the records that were added.
    """

    def __init__(self, folder: Path, listing: IO[str], room: int) -> None:
        self._folder, self._listing, self._room = folder, listing, room
        self.name, self.count = Path(listing.name).name, 0

    def add(self, record: RawRecord, reason: str) -> str:
        """Sets a record aside; returns its reason as it is listed, without the address of any Python object."""
        self.count += 1
        said = _cut(ADDRESS.sub("it", reason))
        entry = {
            "id": _cut_name(record.id),
            "label": _cut(record.label),
            "reason": said,
            "size": len(record.content),
            "bytes": self._kept(record),
        }
        self._listing.write(json.dumps(entry) + "\n")
        return said

    def take(self, entry: dict[str, Any], folder: Path) -> None:
        """Takes an entry of another quarantine over, and what that has of its bytes."""
        name, there = entry["bytes"], folder / str(entry["bytes"])
        size = there.stat().st_size if name and there.is_file() else None
        if size is None or size > self._room:
            name = None
        else:
            self._room -= size
            _link(there, self._folder / name)
        self._listing.write(json.dumps({**entry, "bytes": name}) + "\n")

    def _kept(self, record: RawRecord) -> str | None:
        content = record.content[: min(KEPT_OF_A_RECORD, self._room)]
        if not content:
            return None
        self._room -= len(content)
        name = f"{BYTES}/{hashlib.sha256(record.id.encode()).hexdigest()[:16]}"
        (self._folder / name).write_bytes(content)
        return name


@contextmanager
def opened(folder: str | Path) -> Iterator[Quarantine]:
    """Gives a folder to what cannot be used; what was in it goes.

    When the block ends, however it does, `quarantine.jsonl` has a line for each record: `id`, `label`, `reason`,
    `size` in bytes, and `bytes`, the file below the folder that has the first of them; null where none are kept.
    """
    folder = Path(folder)
    shutil.rmtree(folder / BYTES, ignore_errors=True)
    (folder / BYTES).mkdir(parents=True)
    with (folder / LISTING).open("w", encoding="utf-8") as listing:
        yield Quarantine(folder, listing, KEPT_IN_ALL)


@contextmanager
def listed(folder: Path, listing: str) -> Iterator[Quarantine]:
    """Sets records of a slice aside, beside those of other slices: several workers may, at once.

    Args:
        folder: As `prepare` leaves it.
        listing: Name of the file that gets a line for each record; nobody else's.
    """
    with (folder / listing).open("w", encoding="utf-8") as file:
        yield Quarantine(folder, file, KEPT_OF_A_SLICE)


def prepare(folder: Path) -> None:
    """Makes an empty folder for `listed`."""
    (folder / BYTES).mkdir(parents=True)


def join(folder: Path, listings: Sequence[str], into: Path) -> None:
    """Puts what was set aside of slices together, as `opened` leaves it; the folder goes.

    Args:
        folder: Of the listings.
        listings: Names of those that count, in their order.
        into: What is there already stays.
    """
    with opened(into) as joined:
        for name in listings:
            with (folder / name).open(encoding="utf-8") as lines:
                for line in lines:
                    joined.take(json.loads(line), folder)
    shutil.rmtree(folder)


def collect(folders: Sequence[Path], into: Path) -> dict[str, str]:
    """Puts quarantines together in one, as `opened` leaves it; returns the reasons by id.

    Args:
        folders: The oldest first. The newest are listed first, and of all bytes theirs are kept as far as they fit.
        into: Emptied.
    """
    reasons = {}
    with opened(into) as collected:
        for folder in reversed(folders):
            for line in (folder / LISTING).read_text(encoding="utf-8").splitlines():
                entry = json.loads(line)
                reasons[entry["id"]] = entry["reason"]
                collected.take(entry, folder)
    return reasons


def kind(reason: str) -> str:
    """Returns what was expected: what reasons have in common that differ in what was there instead."""
    return reason.partition(", got ")[0]


def legible(text: str) -> str:
    """Returns a text from outside on one line: what does not print, or turns what follows around, by its number."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def told(reasons: Mapping[str, str]) -> str:
    """Returns the most frequent kinds of reasons, a line each with its first record.

    Args:
        reasons: By record id.
    """
    counts, first = Counter(map(kind, reasons.values())), dict[str, str]()
    for record, reason in reasons.items():
        first.setdefault(kind(reason), f"  - {legible(record)}: {legible(reason)}")
    lines = [
        first[each] + (f" (and {count - 1} more like it)" if count > 1 else "")
        for each, count in counts.most_common(TOLD)
    ]
    others = len(counts) - len(lines)
    return "\n".join([*lines, f"  - and {others} other reasons"] if others else lines)


def _link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}..."


def _cut_name(name: str) -> str:
    """Returns a name that no other one is cut to: records are counted by it."""
    return (
        name if len(name) <= LONGEST_TEXT else f"{_cut(name)}{hashlib.sha256(name.encode()).hexdigest()[:16]}"
    )
