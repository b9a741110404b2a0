"""One row of facts per example: what expectations can be said about.

Made wherever Beam runs, a table for each file of examples: no record goes from one process to another.
"""

import hashlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import apache_beam as beam
import pandas as pd
import tensorflow as tf

from components import records
from components.families.interface import Facts
from components.tasks import interface as tasks
from contract import files

BLOCK = 4096  # rows that are gathered as Python objects before they become columns


def columns(family: Facts, record: Any) -> tuple[str, ...]:
    """Returns the columns of the facts: those of any example, and between them the family's own."""
    return (
        "id",
        "split",
        "label",
        "share_of_label",
        *family.columns(record),
        "digest",
        "splits_of_digest",
    )


def facts_of(
    examples_dir: str,
    family: Facts,
    task: tasks.Facts,
    record: Any,
    *,
    pipeline: beam.Pipeline,
    shared_dir: str,
) -> pd.DataFrame:
    """Returns `columns` for every example of every split, in the order of splits and files.

    `label` is the number that the task stores, and `share_of_label` the share of the examples that have the same;
    `digest` is of the example's content, and `splits_of_digest` the number of splits that hold this very content.

    Args:
        examples_dir: Examples artifact.
        family: What the facts of a record are.
        task: What a label is.
        record: What a record is.
        pipeline: Empty; it is run here.
        shared_dir: Folder that Beam's workers and this process write to and read from.
    """
    found = [(split, path) for split in records.SPLITS for path in records.split_files(examples_dir, split)]
    with TemporaryDirectory(dir=shared_dir, prefix=".") as scratch:
        parts = [(*each, f"{scratch}/{number}.parquet") for number, each in enumerate(found)]
        with pipeline:
            _ = (
                pipeline
                | "Files" >> beam.Create(parts)
                | "Table" >> beam.ParDo(_Tabulator(family, task, record))
            )
        tables = [pd.read_parquet(target) for _, _, target in parts]
    empty = pd.DataFrame(columns=list(columns(family, record)))
    facts = pd.concat([each for each in tables if len(each)] or [empty], ignore_index=True)
    facts["share_of_label"] = facts.groupby("label")["label"].transform("size") / len(facts)
    facts["splits_of_digest"] = facts.groupby("digest")["split"].transform("nunique")
    return facts[list(columns(family, record))]


class _Tabulator(beam.DoFn):
    """Writes the table of the facts in a file of examples; one at a time is decoded."""

    def __init__(self, family: Facts, task: tasks.Facts, record: Any) -> None:
        self._family, self._task, self._record = family, task, record

    def process(self, part: tuple[str, str, str]) -> Iterator[None]:
        split, source, target = part
        examples = map(tf.train.Example.FromString, records.read_file(source))
        rows = (self._row(example, split) for example in examples)
        tables = []
        while block := list(islice(rows, BLOCK)):
            tables.append(pd.DataFrame(block))
        table = pd.concat(tables) if tables else pd.DataFrame()
        files.write(Path(target), table.to_parquet(index=False))
        yield from ()

    def _row(self, example: tf.train.Example, split: str) -> dict[str, object]:
        return {
            "id": records.id_of(example),
            "split": split,
            "label": self._task.decode(example.features.feature[records.LABEL]),
            **self._family.facts(example, self._record),
            "digest": hashlib.sha256(self._family.content(example, self._record)).hexdigest(),
        }
