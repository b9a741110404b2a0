"""What ingestion reads by itself, and not again while it stays the same: a span, or all of a source without spans."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Part(NamedTuple):
    """Some records of a source.

    Attributes:
        span: Its date, such as 2026-03-31; empty for a source without spans. The ids of its records begin with it.
        path: What `data.path` is for it.
        digest: `reading.digest` of its records.
    """

    span: str
    path: str
    digest: str

    def name_of(self, record_id: str) -> str:
        """Returns the id that a record of this part has among those of all parts."""
        return f"{self.span}/{record_id}" if self.span else record_id


def to_json(parts: Iterable[Part]) -> str:
    """Returns parts as JSON, the same text for the same parts."""
    return json.dumps([part._asdict() for part in parts])


def from_json(text: str) -> list[Part]:
    """Reads what `to_json` wrote."""
    return [Part(**part) for part in json.loads(text)]


def digest_of(parts: Sequence[Part]) -> str:
    """Returns the digest of all their data, in hexadecimal digits; of a single part without a span it is the part's."""
    if [part.span for part in parts] == [""]:
        return parts[0].digest
    total = json.dumps([(part.span, part.digest) for part in parts])
    return hashlib.sha256(total.encode()).hexdigest()
