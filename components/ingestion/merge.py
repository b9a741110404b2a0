"""One set of records out of several parts: each content once, under the newest of its labels."""

import logging
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from components import records
from components.ingestion.harvest import Harvest, Row

logger = logging.getLogger(__name__)


@dataclass
class Merged:
    """Which example of which harvest belongs to which split.

    Attributes:
        rows: By split, the number of the harvest and the row in it.
        duplicates: How many records were left out because a newer one has their content and label.
        relabelled: Of the records whose content a newer one has under another label, the id, its label, and the newer
            id and label.
    """

    rows: dict[str, list[tuple[int, Row]]] = field(default_factory=lambda: defaultdict(list))
    duplicates: int = 0
    relabelled: list[dict[str, str]] = field(default_factory=list)

    def write(self, harvests: Sequence[Harvest], examples_dir: Path) -> dict[str, int]:
        """Writes the splits, and returns the number of examples in each.

        They are in the order of the hashes of their records' content. What a source sorts, by class or by day, is
        mixed: training shuffles too few at a time to make up for it. And the same records come out the same, in
        whatever order their source has them.
        """
        counts = {}
        with ExitStack() as stack:
            read = [stack.enter_context(harvest.examples()) for harvest in harvests]
            for split in records.SPLITS:
                ordered = sorted(self.rows[split], key=lambda found: found[1].content)
                examples = (read[number](row) for number, row in ordered)
                size = sum(row.length for _, row in ordered)
                counts[split] = records.write_serialized(
                    examples_dir, split, examples, count=len(ordered), size=size
                )
        return counts


def merge(harvests: Sequence[Harvest]) -> Merged:
    """Chooses the records that count.

    Args:
        harvests: The oldest first. What the newer ones say of a content holds: its label, or that it has several.
    """
    merged = Merged()
    newest: dict[str, Row] = {}
    for number in reversed(range(len(harvests))):
        for row in harvests[number].rows():
            held = newest.setdefault(row.content, row)
            if held is row:
                if row.split:
                    merged.rows[row.split].append((number, row))
            elif held.label == row.label and held.split:
                merged.duplicates += 1
            else:
                merged.relabelled.append(
                    {"id": row.id, "label": row.label, "newer_id": held.id, "newer_label": held.label}
                )
    if merged.relabelled:
        first = merged.relabelled[0]
        logger.warning(
            "%d record(s) have another label in a newer span, which holds; the first is %s, %r, now %r as %s",
            len(merged.relabelled),
            *(first[name] for name in ("id", "label", "newer_label", "newer_id")),
        )
    return merged
