"""One row of facts per example: what expectations can be said about."""

import hashlib
from typing import Any

import pandas as pd

from components import records
from components.families.interface import Facts
from components.tasks import interface as tasks


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


def facts_of(examples_dir: str, family: Facts, task: tasks.Facts, record: Any) -> pd.DataFrame:
    """Returns `columns` for every example of every split.

    `label` is the number that the task stores, and `share_of_label` the share of the examples that have the same;
    `digest` is of the example's content, and `splits_of_digest` the number of splits that hold this very content.
    """
    rows = [
        {
            "id": records.id_of(example),
            "split": split,
            "label": task.decode(example.features.feature[records.LABEL]),
            **family.facts(example, record),
            "digest": hashlib.sha256(family.content(example, record)).hexdigest(),
        }
        for split in records.SPLITS
        for example in records.read_split(examples_dir, split)
    ]
    facts = pd.DataFrame(rows, columns=list(columns(family, record)))
    facts["share_of_label"] = facts.groupby("label")["label"].transform("size") / len(facts)
    facts["splits_of_digest"] = facts.groupby("digest")["split"].transform("nunique")
    return facts
