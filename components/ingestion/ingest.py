"""Reads a source, checks each record, writes the splits, and sets aside what cannot be used."""

import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from components import records
from components.ingestion import sources
from components.ingestion.settings import IngestionSettings
from components.ingestion.split import split_of
from contract.errors import DataError

READABLE_FORMATS = ("PNG", "JPEG", "GIF", "BMP")  # what TensorFlow decodes
DECODED_WHATEVER_THE_CHANNELS = ("PNG", "JPEG", "MPO")


@dataclass
class IngestionResult:
    """What was read (its digest), and how many records went where: `quarantined` has a reason by record id."""

    digest: str
    counts: dict[str, int]
    quarantined: dict[str, str] = field(default_factory=dict)


def unusable_because(record: sources.RawRecord, classes: Sequence[str], channels: int) -> str | None:
    """Returns why a record cannot be used by a model that takes `channels` channels, or `None` when it can."""
    if record.label not in classes:
        return f"expected a label among {', '.join(classes)}, got {record.label!r}"
    try:
        with Image.open(io.BytesIO(record.image), formats=READABLE_FORMATS) as image:
            image.load()
            kind, mode = image.format, image.mode
    except Exception as error:
        return f"expected an image ({', '.join(READABLE_FORMATS)}), got {len(record.image)} bytes: {error}"
    if kind in DECODED_WHATEVER_THE_CHANNELS and mode != "CMYK":
        return None
    try:  # TensorFlow reads these too, but not with every number of colours
        records.decode_images(records.tf.constant([record.image]), records.ImageShape(1, 1, channels))
    except records.tf.errors.InvalidArgumentError:
        colours = "grey" if channels == 1 else "RGB"
        return f"expected an image that TensorFlow decodes as {colours}, got a {kind} of mode {mode}: save it as PNG"
    return None


def _quarantine(record: sources.RawRecord, reason: str, folder: Path) -> None:
    name = hashlib.sha256(record.id.encode()).hexdigest()[:16]
    (folder / "bytes").mkdir(parents=True, exist_ok=True)
    (folder / "bytes" / name).write_bytes(record.image)
    line = {"id": record.id, "label": record.label, "reason": reason, "bytes": f"bytes/{name}"}
    with (folder / "quarantine.jsonl").open("a") as listing:
        listing.write(json.dumps(line) + "\n")


def _check_unchanged(expected: str, read: str, settings: IngestionSettings) -> None:
    if read != expected:
        raise DataError(
            f"Expected the data that this run was prepared for, digest {expected[:12]}, in "
            f"{settings.path or settings.source}, and read digest {read[:12]}: the source changed after `prepare` "
            "or while it was read. Clear `ingest`, which takes the data as it is now."
        )


def _check_outcome(result: IngestionResult, settings: IngestionSettings) -> None:
    bad, good = len(result.quarantined), sum(result.counts.values())
    if not good and not bad:
        where = settings.path or settings.source
        raise DataError(
            f"Ingestion found no records in {where}. Add data, or change data.source or data.path."
        )
    if bad / (good + bad) > settings.max_quarantined_fraction:
        shown = "\n".join(
            f"  - {record}: {reason}" for record, reason in list(result.quarantined.items())[:5]
        )
        raise DataError(
            f"{bad} of {good + bad} records cannot be used; at most "
            f"{settings.max_quarantined_fraction:.2%} may be (data.max_quarantined_fraction). First of them:\n"
            f"{shown}\nFix or remove these records at their source, then clear `ingest`."
        )
    empty = [split for split, count in result.counts.items() if not count]
    if empty:
        raise DataError(
            f"The split(s) {', '.join(empty)} got no records out of {good}. Add data, or raise "
            "data.eval_fraction and data.test_fraction."
        )


def ingest(
    settings: IngestionSettings,
    classes: Sequence[str],
    *,
    channels: int,
    examples_dir: str | Path,
    quarantine_dir: str | Path,
    expected_digest: str | None = None,
) -> IngestionResult:
    """Writes `Split-train`, `Split-eval` and `Split-test` as gzip'd TFRecords of tf.Examples.

    Args:
        settings: Source and shares.
        classes: Names of the classes; a label is stored as its index here.
        channels: That the model takes.
        examples_dir: Folder of the Examples artifact.
        quarantine_dir: Gets `quarantine.jsonl` and the bytes of unusable records.
        expected_digest: `sources.digest` of the data that is meant; `None` takes whatever is there.

    Raises:
        DataError: If the data is not the one that is meant or changes while it is read, if there are no
            records, too many unusable ones, or a split stays empty.
    """
    digest = sources.Digest()
    quarantined: dict[str, str] = {}
    accepted: dict[str, list[sources.RawRecord]] = {split: [] for split in records.SPLITS}
    Path(quarantine_dir).mkdir(parents=True, exist_ok=True)
    for record in sources.read(settings):
        digest.add(record)
        reason = unusable_because(record, classes, channels)
        if reason is None:
            accepted[split_of(record.image, settings)].append(record)
        else:
            quarantined[record.id] = reason
            _quarantine(record, reason, Path(quarantine_dir))
    if expected_digest is not None:
        _check_unchanged(expected_digest, str(digest), settings)

    def examples(split: str) -> Iterator[records.tf.train.Example]:
        for record in accepted[split]:
            yield records.example(record.image, classes.index(record.label), record.id)

    counts = {split: records.write_split(examples_dir, split, examples(split)) for split in records.SPLITS}
    result = IngestionResult(str(digest), counts, quarantined)
    _check_outcome(result, settings)
    return result
