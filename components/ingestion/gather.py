"""Reads the records of one part, makes examples of them, and sets aside what cannot be used."""

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from components import records
from components.families.interface import Ingestion, Sources
from components.families.sections import DataSettings
from components.ingestion import harvest, quarantine, reading
from components.ingestion.harvest import Counts, Harvest, Row
from components.ingestion.parts import Part
from components.ingestion.split import split_of
from components.source import RawRecord, UnusableRecordError, weight_of
from components.tasks.interface import Labels
from contract.errors import DataError


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


class Gathering:
    """Gathers the records of one part."""

    def __init__(self, usable: Usable, part: Part) -> None:
        self.usable, self.part = usable, part
        self.rows: dict[bytes, Row] = {}
        self.read = self.quarantined = self.duplicates = 0

    def into(self, folder: Path) -> None:
        """Reads all records; the harvest of them is in `folder` then.

        Raises:
            DataError: If they are not those of the part's digest.
        """
        digest = reading.Digest()
        with (folder / harvest.EXAMPLES).open("wb") as file, quarantine.opened(folder) as self.unusable:
            for record in reading.read(self.usable.sources, self.usable.of(self.part)):
                digest.add(record)
                self.read += 1
                name = self.part.name_of(record.id)
                try:
                    example = self.usable.example(record, name)
                except UnusableRecordError as error:
                    self._set_aside(record, name, str(error))
                else:
                    self._take(record, name, example.SerializeToString(deterministic=True), file)
        _check_unchanged(self.part, str(digest))
        with (folder / harvest.INDEX).open("w") as index:
            index.writelines(json.dumps(row) + "\n" for row in self.rows.values())
        counts = Counts(self.read, self.quarantined, self.duplicates)
        Harvest(folder).seal(counts)

    def _take(self, record: RawRecord, name: str, example: bytes, file: IO[bytes]) -> None:
        known = self.rows.get(record.content_hash)
        if known and (known.label != record.label or not known.split):
            self._dispute(record, name, known)
            return
        if known:
            self.duplicates += 1
            if known.id < name:  # of several, whatever their order, the first by name
                return
        split = record.split or split_of(record.content_hash, self.usable.settings)
        content = record.content_hash.hex()
        self.rows[record.content_hash] = Row(content, name, record.label, split, file.tell(), len(example))
        file.write(example)

    def _dispute(self, record: RawRecord, name: str, known: Row) -> None:
        """Nobody knows which of several labels of a content is right: none of its records is learned from."""
        if known.split:
            self._set_aside(replace(record, label=known.label), known.id, _conflict(record.label, name))
            self.rows[record.content_hash] = known._replace(split="")
        self._set_aside(record, name, _conflict(known.label, known.id))

    def _set_aside(self, record: RawRecord, name: str, reason: str) -> None:
        self.unusable.add(replace(record, id=name), reason)
        self.quarantined += 1


def _conflict(label: str, other: str) -> str:
    return f"expected one label for the same content, got {label!r} too, by {other}"


def _check_unchanged(part: Part, read: str) -> None:
    if read != part.digest:
        raise DataError(
            f"Expected the data that this run was prepared for, digest {part.digest[:12]}, in "
            f"{part.path or 'the source'}, and read digest {read[:12]}: it changed after `prepare` or while it was "
            "read. Clear `ingest`, which takes the data as it is now."
        )
