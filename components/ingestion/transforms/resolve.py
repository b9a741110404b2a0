"""Keeps each content once, whoever has found it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import apache_beam as beam

from components.ingestion.harvest import Harvest, Row
from components.ingestion.transforms.elements import PACKED, Dispute, Draft, Resolved


class Resolve(beam.DoFn):
    """Keeps each content once, and writes the index of a range of hashes.

    From what `Examine` gives, grouped, to a packed `Resolved`. Which of several records is kept depends on their names
    alone.

    Args:
        drafts: The parts that are being read.
    """

    def __init__(self, drafts: Sequence[Draft]) -> None:
        self.drafts = drafts

    def process(self, element: tuple[tuple[int, int], Iterable[bytes]]) -> Iterator[bytes]:
        """Looks at all records of a range."""
        (number, place), packed = element
        draft = self.drafts[number]
        same = defaultdict[str, list[tuple[int, Row]]](list)
        for each in packed:
            for at, *row in PACKED.decode(each):
                same[row[0]].append((at, Row(*row)))
        kept, disputes, duplicates = [], list[Dispute](), 0
        for _, found in sorted(same.items()):
            found.sort(key=lambda each: each[1].id)
            _, first = found[0]
            disputed = list(_disputes(found))
            disputes += disputed
            duplicates += 0 if disputed else len(found) - 1
            kept.append(first._replace(split="") if disputed else first)
        Harvest(draft.folder).write_rows(place, draft.ranges, kept)
        names = frozenset(row.file for row in kept)
        size = sum(row.length for row in kept)
        yield PACKED.encode(Resolved(number, place, duplicates, size, names, tuple(disputes)))


def _disputes(same: Sequence[tuple[int, Row]]) -> Iterator[Dispute]:
    """Nobody knows which of several labels of a content is right: none of its records is learned from."""
    (_, first), *_ = same
    against = next((row for _, row in same if row.label != first.label), None)
    if against is None:
        return
    for number, row in same:
        other = against if row.label == first.label else first
        reason = f"expected one label for the same content, got {other.label!r} too, by {other.id}"
        yield Dispute(number, row.id, reason)
