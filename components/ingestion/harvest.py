"""What ingestion made of one part: its examples, where each lies, and what could not be used.

    examples         serialized tf.Examples, one after the other
    index.jsonl      a `Row` for each content, in no order
    quarantine.jsonl what could not be used: see `quarantine.opened`
    harvest.json     counts, the digests of these files, and the folder that they are for; written last

That of a span is kept from run to run: what is there under its key is either whole or not there.
"""

import json
import logging
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from components.ingestion import quarantine
from contract import files

logger = logging.getLogger(__name__)

EXAMPLES = "examples"
INDEX = "index.jsonl"
HARVEST = "harvest.json"


class Row(NamedTuple):
    """Where an example lies.

    Attributes:
        content: SHA-256 of the record's content, in hexadecimal digits.
        id: Of the record.
        label: As the source has it.
        split: Of the example; empty for content that has several labels, which nobody learns from.
        start: Bytes before it.
        length: Its bytes.
    """

    content: str
    id: str
    label: str
    split: str
    start: int
    length: int


@dataclass(frozen=True)
class Counts:
    """How many records were read, and of these set aside, or the same as another under the same label."""

    read: int
    quarantined: int
    duplicates: int


class AlteredError(Exception):
    """A harvest that was kept is not what it was when it was made; the text names the file."""


@dataclass(frozen=True)
class Harvest:
    """A harvest in a folder."""

    folder: Path

    def rows(self) -> Iterator[Row]:
        """Yields where each example lies."""
        with (self.folder / INDEX).open() as lines:
            for line in lines:
                yield Row(*json.loads(line))

    def counts(self) -> Counts:
        """Returns how many records there were."""
        return Counts(**json.loads((self.folder / HARVEST).read_text())["counts"])

    def seal(self, counts: Counts) -> None:
        """Says that all is there."""
        digests = {name: files.sha256(self.folder / name) for name in (EXAMPLES, INDEX, quarantine.LISTING)}
        noted = {"counts": asdict(counts), "digests": digests, "of": self._key}
        (self.folder / HARVEST).write_text(json.dumps(noted))

    @property
    def _key(self) -> str:
        """What the folder is called once it is no draft."""
        return self.folder.name.lstrip(".").partition(".")[0]

    def check(self) -> None:
        """Makes sure that the files are what they were.

        Raises:
            AlteredError: If they are not.
        """
        try:
            noted = json.loads((self.folder / HARVEST).read_text())
            if noted["of"] != self._key:
                raise AlteredError(f"{self.folder} holds what was made for {noted['of']}")
            digests = noted["digests"].items()
            altered = [name for name, was in digests if files.sha256(self.folder / name) != was]
        except (OSError, ValueError, KeyError) as error:
            raise AlteredError(f"{self.folder} cannot be read: {error}") from error
        if altered:
            raise AlteredError(f"{self.folder / altered[0]} has been altered")

    @contextmanager
    def examples(self) -> Iterator[Callable[[Row], bytes]]:
        """Yields what reads one serialized example."""
        with (self.folder / EXAMPLES).open("rb") as file:

            def read(row: Row) -> bytes:
                file.seek(row.start)
                return file.read(row.length)

            yield read


def kept(folder: Path, make: Callable[[Path], None]) -> tuple[Harvest, bool]:
    """Returns the harvest under a folder's name, made where there is none that can be used, and whether it was made.

    Of two that make it at once, both have it. Whoever is killed leaves a hidden folder that nobody takes for a harvest.

    Args:
        folder: Its name says what it is of.
        make: Writes and seals it in an empty folder.
    """
    found = Harvest(folder)
    # Retention goes by when it was of use. Before it is read, so that it stays meanwhile.
    with suppress(FileNotFoundError):
        os.utime(folder)
    if folder.is_dir():
        try:
            found.check()
        except AlteredError as error:
            logger.warning("A span is read again: %s", error)
            drop(found)
        else:
            return found, False
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = folder.with_name(f".{folder.name}.{secrets.token_hex(8)}")
    draft.mkdir()
    try:
        make(draft)
        draft.rename(folder)
    except OSError:
        if not folder.is_dir():  # where it is one, somebody else was first
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return found, True


def drop(found: Harvest) -> None:
    """Takes a harvest away; killed on the way, none of it is left under its name."""
    gone = found.folder.with_name(f".{found.folder.name}.{secrets.token_hex(8)}")
    with suppress(FileNotFoundError):  # somebody else took it away
        found.folder.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)
