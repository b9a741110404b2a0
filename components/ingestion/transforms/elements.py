"""What goes from worker to worker: references, and counts. Never a record, nor what was made of it."""

from pathlib import Path
from typing import NamedTuple

import apache_beam as beam

from components.ingestion.parts import Part

PACKED = beam.coders.PickleCoder()  # to bytes and back: no runner needs to know the types


class Draft(NamedTuple):
    """A part that is being read.

    Attributes:
        part: What is read.
        folder: Of its harvest, which nobody else sees yet.
        ranges: Into how many of hashes its contents are divided.
    """

    part: Part
    folder: Path
    ranges: int


class Chosen(NamedTuple):
    """A slice, and where it belongs.

    Attributes:
        draft: Number of its draft.
        number: Its own, among the slices of its part.
        start: Bytes in `SLICES` before what `Source.read` is told.
        length: Bytes of that.
    """

    draft: int
    number: int
    start: int
    length: int


class Examined(NamedTuple):
    """What a slice was like.

    Attributes:
        draft: Number of its draft.
        again: Whether it was read once more, for disputed records alone.
        number: Its own.
        digest: `reading.Digest` of its records.
        read: How many there are.
        quarantined: How many of them were set aside.
        aside: Name of the listing of these.
    """

    draft: int
    again: bool
    number: int
    digest: str
    read: int
    quarantined: int
    aside: str


class Dispute(NamedTuple):
    """A record whose content has another label too.

    Attributes:
        number: Of its slice.
        id: Of the record.
        reason: Which label, and by whom.
    """

    number: int
    id: str
    reason: str


class Resolved(NamedTuple):
    """What became of the contents in a range of hashes.

    Attributes:
        draft: Number of the draft.
        place: Number of the range.
        duplicates: Records left out because another has their content and label.
        size: Bytes of the examples that are left.
        files: That these lie in.
        disputes: Records that have several labels.
    """

    draft: int
    place: int
    duplicates: int
    size: int
    files: frozenset[str]
    disputes: tuple[Dispute, ...]
