"""Reads a family's source, and tells its data from any other."""

import hashlib
import time
from collections.abc import Iterator

from components.families.interface import Sources
from components.families.sections import DataSettings
from components.source import RawRecord
from components.storage import listing
from components.storage.listing import Listing


class Digest:
    """A SHA-256 over records as they are read, with all that is said of them: equal exactly when the data is equal."""

    def __init__(self) -> None:
        self._total = hashlib.sha256()

    def add(self, record: RawRecord) -> None:
        """Takes the next record."""
        content = record.content_hash + (record.weight or "").encode()  # the first has always the same length
        for part in (record.id.encode(), record.label.encode(), record.split.encode(), content):
            self._total.update(len(part).to_bytes(8, "big") + part)

    def __str__(self) -> str:
        """Returns the digest of what was taken so far, in hexadecimal digits."""
        return self._total.hexdigest()


def listed(sources: Sources, settings: DataSettings) -> Listing:
    """Lists the files of the configured source, all of them, and no others.

    Raises:
        DataError: If the source cannot be found, or not be listed.
    """
    taken_ns = time.time_ns()
    entries = tuple(sorted(sources.SOURCES[settings.source].files(settings)))
    return Listing(entries, settings.model_dump_json(), taken_ns)


def read(sources: Sources, settings: DataSettings) -> Iterator[RawRecord]:
    """Yields the records of the configured source.

    Raises:
        DataError: If the source cannot be found or read, or changes while it is read.
    """
    return sources.SOURCES[settings.source].records(settings)


def digest(sources: Sources, settings: DataSettings, before: Listing | None = None) -> str:
    """Returns the `Digest` of all records.

    Args:
        sources: Of the family.
        settings: Which source, and how it is read.
        before: What the source is to hold; what it holds now, if left out.

    Raises:
        DataError: If the source cannot be found, is not as it is listed, or changes while it is read.
    """
    before, total = before or listed(sources, settings), Digest()
    for record in read(sources, settings):
        total.add(record)
    listing.check_unchanged(before, listed(sources, settings), settings.path or settings.source)
    return str(total)
