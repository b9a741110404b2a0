"""Examples on their way to the splits: kept on disk, handed out in an order that the source has no say in."""

from collections import defaultdict
from collections.abc import Iterator
from typing import IO

from components.source import RawRecord


class Spill:
    """Examples in an empty file, open for writing and reading; memory holds where each one lies."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._places: dict[str, list[tuple[bytes, int, int]]] = defaultdict(list)

    def add(self, split: str, record: RawRecord, example: bytes) -> None:
        """Takes the serialized example of a record; all are added before the first is read."""
        key = record.content_hash + record.id.encode()  # records with the same content have different ids
        self._places[split].append((key, self._file.tell(), len(example)))
        self._file.write(example)

    def read(self, split: str) -> Iterator[bytes]:
        """Yields the examples of a split in the order of the hashes of their records' content.

        What a source sorts, by class or by day, is mixed: training shuffles too few at a time to make up for it. And
        the same records come out the same, in whatever order their source has them.
        """
        for _, start, length in sorted(self._places[split]):
            self._file.seek(start)
            yield self._file.read(length)
