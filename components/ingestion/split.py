"""Which split a record belongs to. Depends on its id alone, so a record never moves between splits."""

import hashlib

from components.ingestion.settings import IngestionSettings


def split_of(record_id: str, settings: IngestionSettings) -> str:
    """Returns `train`, `eval` or `test` for a record, by a hash of its id.

    New records change nothing for old ones, so what was tested on yesterday is never trained on today.
    """
    position = int.from_bytes(hashlib.sha256(record_id.encode()).digest()[:8], "big") / 2**64
    if position < settings.test_fraction:
        return "test"
    if position < settings.test_fraction + settings.eval_fraction:
        return "eval"
    return "train"
