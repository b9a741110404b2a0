"""Reads a family's source, and tells its data from any other."""

import hashlib
import os
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from components.families.interface import Sources
from components.families.sections import DataSettings
from components.source import RawRecord, Slice
from components.storage import listing
from components.storage.listing import Listing


class Digest:
    """A SHA-256 over records as they are read, with all that is said of them: equal exactly when the data is equal."""

    def __init__(self) -> None:
        self._total = hashlib.sha256()

    def add(self, record: RawRecord) -> None:
        """Takes the next record."""
        content = record.content_hash + (record.weight or "").encode()  # the first has always the same length
        parts = (record.id.encode(), record.label.encode(), record.split.encode(), content)
        self._total.update(b"".join([len(part).to_bytes(8, "big") + part for part in parts]))

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


def combined(digests: Iterable[str]) -> str:
    """Returns the digest of a source, in hexadecimal digits.

    Args:
        digests: The `Digest` of each of its slices, in their order. That is a Merkle tree (Merkle, 1987) of two levels:
            who reads which slice, and when, makes no difference.
    """
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def read(sources: Sources, settings: DataSettings) -> Iterator[RawRecord]:
    """Yields the records of the configured source.

    Raises:
        DataError: If the source cannot be found or read, or changes while it is read.
    """
    return sources.SOURCES[settings.source].records(settings)


def digest(sources: Sources, settings: DataSettings, before: Listing | None = None) -> str:
    """Returns the digest of all records: see `combined`.

    Args:
        sources: Of the family.
        settings: Which source, and how it is read.
        before: What the source is to hold; what it holds now, if left out.

    Raises:
        DataError: If the source cannot be found, is not as it is listed, or changes while it is read.
    """
    source, before = sources.SOURCES[settings.source], before or listed(sources, settings)

    def of(each: Slice) -> str:
        total = Digest()
        for record in source.read(settings, *each):
            total.add(record)
        return str(total)

    # Reading and hashing wait for no other thread of Python's, but where a file is as small as what is done around it.
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        found = combined(threads.map(of, source.slices(settings)))
    listing.check_unchanged(before, listed(sources, settings), settings.path or settings.source)
    return found
