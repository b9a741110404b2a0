"""Reads a source part by part, and writes one set of splits of what can be used."""

import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from components.families.sections import DataSettings
from components.ingestion import harvest
from components.ingestion.gather import Gathering, Usable
from components.ingestion.harvest import Harvest
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

    def metrics(self) -> dict[str, int]:
        """Returns the numbers of all that."""
        found = {
            **{f"records_{split}": count for split, count in self.counts.items()},
            "records_quarantined": len(self.quarantined),
            "records_duplicate": self.duplicates,
            "records_relabelled": len(self.relabelled),
        }
        return found | {"spans": self.spans, "spans_read": len(self.read)} if self.spans else found


def _check_outcome(result: IngestionResult, settings: DataSettings) -> None:
    bad, good = len(result.quarantined), sum(result.counts.values())
    if not good and not bad:
        where = "any span" if settings.spans else settings.path or settings.source
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
        quarantine_dir: Gets `quarantine.jsonl` and the bytes of unusable records.
        spans_dir: Keeps what was made of each span.
        code: What reads the records: other code reads them anew.

    Raises:
        DataError: If the data is not the one that is meant or changes while it is read, if there are no
            records, too many unusable ones, or a split stays empty.
    """
    for folder in (examples_dir, quarantine_dir):
        folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=examples_dir, prefix=".") as scratch:
        harvests, read = [], []
        for part in parts:
            folder = (
                spans_dir / f"{part.span}-{usable.key(part, code)[:32]}"
                if part.span
                else Path(scratch, "all")
            )
            found, is_new = harvest.kept(folder, Gathering(usable, part).into)
            harvests.append(found)
            read += [part.span] if is_new else []
        merged = merge(harvests)
        counts = merged.write(harvests, examples_dir)
        quarantined = _collect_quarantine(harvests, quarantine_dir)
        known = sum(each.counts().duplicates for each in harvests)
    spans = sum(bool(part.span) for part in parts)
    result = IngestionResult(counts, quarantined, merged.duplicates + known, merged.relabelled, spans, read)
    _check_outcome(result, usable.settings)
    return result


def _collect_quarantine(harvests: Iterable[Harvest], folder: Path) -> dict[str, str]:
    """Copies what the harvests have set aside; returns the reasons by id."""
    reasons = {}
    with (folder / harvest.QUARANTINE).open("w") as listing:
        for each in harvests:
            for entry in each.quarantined():
                reasons[entry["id"]] = entry["reason"]
                listing.write(json.dumps(entry) + "\n")
            if (each.folder / harvest.BYTES).is_dir():
                shutil.copytree(each.folder / harvest.BYTES, folder / harvest.BYTES, dirs_exist_ok=True)
    return reasons
