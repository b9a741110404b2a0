"""Which split a record belongs to. Depends on its content alone, so it never moves between splits."""

from components.families.sections import DataSettings


def split_of(content_hash: bytes, settings: DataSettings) -> str:
    """Returns `train`, `eval` or `test` for a record, by a hash of its content.

    New records change nothing for old ones, so what was tested on yesterday is never trained on today. Records
    with the same content share a split, so what is tested on is never trained on under another name.
    """
    position = int.from_bytes(content_hash[:8], "big") / 2**64
    if position < settings.test_fraction:
        return "test"
    if position < settings.test_fraction + settings.eval_fraction:
        return "eval"
    return "train"
