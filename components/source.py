"""What a source of records yields, and what is said of a record that cannot be used. Standard library only."""

import hashlib
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class RawRecord:
    r"""One labelled record, unchecked.

    Attributes:
        id: Unique and stable: the same record has the same id on every ingestion. Bytes that are not UTF-8 are
            written as `\xff`, and a backslash as two.
        content: Bytes that the family reads, such as those of an image file. Records with the same content share a
            split.
        label: As the source has it, spelled like the id.
        problem: Why there is nothing in `content` to be read, where the source knows; empty otherwise.
    """

    id: str
    content: bytes
    label: str
    problem: str = ""

    @cached_property
    def content_hash(self) -> bytes:
        """SHA-256 of the content."""
        return hashlib.sha256(self.content).digest()


class UnusableRecordError(ValueError):
    """A record cannot be used; the text says `expected ..., got ...`: what was expected, and what is there instead."""
