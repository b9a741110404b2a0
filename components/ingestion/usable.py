"""What makes examples of the records of a pipeline."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from components import records
from components.families.interface import Ingestion, Sources
from components.families.sections import DataSettings
from components.ingestion.parts import Part
from components.source import RawRecord, Slice, UnusableRecordError, weight_of
from components.tasks.interface import Labels


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

    def of(self, part: Part) -> DataSettings:
        """Returns where the records of a part come from, as the family's sources are told."""
        return self.settings.model_copy(update={"path": part.path, "spans": None})

    def slices(self, part: Part) -> Iterable[Slice]:
        """Returns the slices of a part: see `Source`.

        Raises:
            DataError: If it cannot be found.
        """
        return self.sources.SOURCES[self.settings.source].slices(self.of(part))

    def read(self, part: Part, chosen: Slice) -> Iterator[RawRecord]:
        """Yields the records of a slice.

        Raises:
            DataError: If it cannot be read.
        """
        return self.sources.SOURCES[self.settings.source].read(self.of(part), *chosen)

    def key(self, part: Part, code: str) -> str:
        """Returns what decides how the records of a part become examples, as a SHA-256.

        Args:
            part: In it, the digest of the records.
            code: What reads them.
        """
        settings = self.settings.model_dump(
            mode="json", exclude={"path", "spans", "max_quarantined_fraction"}
        )
        decisive = [part.span, part.digest, settings, self.target.model_dump(mode="json"), code]
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()

    def example(self, record: RawRecord, name: str) -> records.tf.train.Example:
        """Returns the example of a record.

        Args:
            record: As its source has it.
            name: Its id among all parts.

        Raises:
            UnusableRecordError: If it cannot be used; the text says why.
        """
        if record.problem:
            raise UnusableRecordError(record.problem)
        label = self.task.encode(record.label, self.target)
        features = self.family.features(record, self.settings)
        if record.weight is not None:
            features = {**features, records.WEIGHT: records.of_float(weight_of(record.weight))}
        return records.example(features, label, name)
