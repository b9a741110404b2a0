"""Reads a source part by part, and writes one set of splits of what can be used."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from components import report
from components.families.sections import DataSettings
from components.ingestion import harvest, quarantine, split
from components.ingestion.gather import Gathering, Usable
from components.ingestion.merge import merge
from components.ingestion.parts import Part
from contract.errors import DataError


@dataclass
class IngestionResult:
    """What was read, and how many records went where.

    Attributes:
        counts: Records by split.
        quarantined: The reason by the id of each record that could not be used.
        duplicates: Records left out because another has their content and label.
        relabelled: See `Merged`.
        spans: How many there are; none of a source without.
        read: Those that were read, and not known from an earlier run.
    """

    counts: dict[str, int]
    quarantined: dict[str, str]
    duplicates: int
    relabelled: list[dict[str, str]]
    spans: int
    read: list[str]

    def write(self, folder: str | Path) -> None:
        """Writes a report: the numbers of all that, and `relabelled.json` where a newer span holds another label."""
        metrics = {
            **{f"records_{split}": count for split, count in self.counts.items()},
            "records_quarantined": len(self.quarantined),
            "records_duplicate": self.duplicates,
            "records_relabelled": len(self.relabelled),
        }
        if self.spans:
            metrics |= {"spans": self.spans, "spans_read": len(self.read)}
        report.write(folder, metrics=metrics)
        if self.relabelled:
            Path(folder, "relabelled.json").write_text(json.dumps(self.relabelled, indent=2))


def _check_outcome(result: IngestionResult, settings: DataSettings) -> None:
    bad, good = len(result.quarantined), sum(result.counts.values())
    if not good and not bad:
        where = "any span" if settings.spans else settings.path or settings.source
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
    parts: Sequence[Part],
    *,
    examples_dir: Path,
    quarantine_dir: Path,
    spans_dir: Path,
    code: str = "",
) -> IngestionResult:
    """Writes `Split-train`, `Split-eval` and `Split-test` as gzip'd TFRecords of tf.Examples: see `Merged.write`.

    A span that an earlier run has read, as it is now and with the same code and settings, is not read again.

    Args:
        usable: The source, and how its records become examples.
        parts: What to read, the oldest first.
        examples_dir: Folder of the Examples artifact.
        quarantine_dir: Gets the unusable records: see `quarantine.opened`.
        spans_dir: Keeps what was made of each span.
        code: What reads the records: other code reads them anew.

    Raises:
        DataError: If the data is not the one that is meant or changes while it is read, if there are no
            records, too many unusable ones, a split stays empty, or a label has too few for all of them.
    """
    for folder in (examples_dir, quarantine_dir):
        folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=examples_dir, prefix=".") as scratch:
        harvests, read = [], []
        for part in parts:
            kept_as = spans_dir / f"{part.span}-{usable.key(part, code)[:32]}"
            folder = kept_as if part.span else Path(scratch, "all")
            found, is_new = harvest.kept(folder, Gathering(usable, part).into)
            harvests.append(found)
            read += [part.span] if is_new else []
        merged = merge(harvests)
        counts = merged.write(harvests, examples_dir)
        quarantined = quarantine.collect([each.folder for each in harvests], quarantine_dir)
        known = sum(each.counts().duplicates for each in harvests)
    spans = sum(bool(part.span) for part in parts)
    result = IngestionResult(counts, quarantined, merged.duplicates + known, merged.relabelled, spans, read)
    _check_outcome(result, usable.settings)
    split.check_labels(Counter(row.label for rows in merged.rows.values() for _, row in rows), usable.task)
    return result
