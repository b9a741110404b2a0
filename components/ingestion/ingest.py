"""Reads a source, checks each record, writes the splits, and sets aside what cannot be used."""

from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from components import records
from components.families.interface import Ingestion, Sources
from components.families.sections import DataSettings
from components.ingestion import quarantine, reading
from components.ingestion.spill import Spill
from components.ingestion.split import split_of
from components.source import RawRecord, UnusableRecordError
from components.tasks.interface import Labels
from contract.errors import DataError


@dataclass
class IngestionResult:
    """What was read (its digest), and how many records went where: `quarantined` has a reason by record id."""

    digest: str
    counts: dict[str, int]
    quarantined: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Usable:
    """Makes examples of the records of one pipeline.

    Attributes:
        sources: Where records come from.
        family: What a record is.
        task: What a label is.
        settings: The family's `DataSettings`.
        target: The task's `TargetSettings`.
    """

    sources: Sources
    family: Ingestion
    task: Labels
    settings: DataSettings
    target: Any

    def example(self, record: RawRecord) -> records.tf.train.Example:
        """Returns the example of a record.

        Raises:
            UnusableRecordError: If it cannot be used; the text says why.
        """
        if record.problem:
            raise UnusableRecordError(record.problem)
        label = self.task.encode(record.label, self.target)
        return records.example(self.family.features(record, self.settings), label, record.id)


def _check_unchanged(expected: str, read: str, settings: DataSettings) -> None:
    if read != expected:
        raise DataError(
            f"Expected the data that this run was prepared for, digest {expected[:12]}, in "
            f"{settings.path or settings.source}, and read digest {read[:12]}: the source changed after `prepare` "
            "or while it was read. Clear `ingest`, which takes the data as it is now."
        )


def _check_outcome(result: IngestionResult, settings: DataSettings) -> None:
    bad, good = len(result.quarantined), sum(result.counts.values())
    if not good and not bad:
        where = settings.path or settings.source
        raise DataError(
            f"Ingestion found no records in {where}. Add data, or change data.source or data.path."
        )
    if bad / (good + bad) > settings.max_quarantined_fraction:
        raise DataError(
            f"{bad} of {good + bad} records cannot be used; at most "
            f"{settings.max_quarantined_fraction:.2%} may be (data.max_quarantined_fraction):\n"
            f"{quarantine.told(result.quarantined)}\nThe page quarantine.html on the MLflow run of `ingest` shows "
            "them. Fix or remove them at their source, then clear `ingest`."
        )
    empty = [split for split, count in result.counts.items() if not count]
    if empty:
        raise DataError(
            f"The split(s) {', '.join(empty)} got no records out of {good}. Add data, or raise "
            "data.eval_fraction and data.test_fraction."
        )


def ingest(
    usable: Usable,
    *,
    examples_dir: str | Path,
    quarantine_dir: str | Path,
    expected_digest: str | None = None,
) -> IngestionResult:
    """Writes `Split-train`, `Split-eval` and `Split-test` as gzip'd TFRecords of tf.Examples, mixed: see `Spill`.

    Args:
        usable: The source, and how its records become examples.
        examples_dir: Folder of the Examples artifact.
        quarantine_dir: Gets the unusable records: see `quarantine.opened`.
        expected_digest: `reading.digest` of the data that is meant; `None` takes whatever is there.

    Raises:
        DataError: If the data is not the one that is meant or changes while it is read, if there are no
            records, too many unusable ones, or a split stays empty.
    """
    settings = usable.settings
    digest = reading.Digest()
    quarantined: dict[str, str] = {}
    Path(examples_dir).mkdir(parents=True, exist_ok=True)
    with TemporaryFile(dir=examples_dir) as file, quarantine.opened(quarantine_dir) as unusable:
        accepted = Spill(file)
        for record in reading.read(usable.sources, settings):
            digest.add(record)
            try:
                example = usable.example(record)
            except UnusableRecordError as error:
                quarantined[record.id] = unusable.add(record, str(error))
            else:
                split = split_of(record.content_hash, settings)
                accepted.add(split, record, example.SerializeToString(deterministic=True))
        if expected_digest is not None:
            _check_unchanged(expected_digest, str(digest), settings)
        counts = {
            split: records.write_serialized(examples_dir, split, accepted.read(split))
            for split in records.SPLITS
        }
    result = IngestionResult(str(digest), counts, quarantined)
    _check_outcome(result, settings)
    return result
