"""Where rows come from, and which of them can be used."""

import json
import math
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import tensorflow as tf

from components.families.tabular.csv_file import csv_file
from components.families.tabular.data import DataSettings, positions
from components.families.tabular.row import content_of
from components.source import RawRecord, UnusableRecordError

OPEN_FEATURES = ()


def _breast_cancer(settings: DataSettings) -> Iterator[RawRecord]:
    """Yields scikit-learn's 569 biopsies: 30 measurements of cell nuclei, `malignant` or `benign`."""
    from sklearn.datasets import load_breast_cancer

    found = load_breast_cancer()
    places = positions(found.feature_names.tolist(), settings.columns, "scikit-learn's breast cancer data")
    for number, (row, target) in enumerate(zip(found.data, found.target, strict=True)):
        content = content_of([str(row[place]) for place in places])
        yield RawRecord(f"breast_cancer-{number:04d}", content, str(found.target_names[target]))


SOURCES: Mapping[str, Callable[[DataSettings], Iterator[RawRecord]]] = {
    "breast_cancer": _breast_cancer,
    "csv": csv_file,
}


def _number(column: str, cell: str) -> float:
    try:
        value = float(cell) if "_" not in cell else math.nan  # Python's 1_000 is nobody else's
    except ValueError:
        value = math.nan
    with np.errstate(over="ignore"):
        fits = bool(np.isfinite(np.float32(value)))
    if not fits:
        got = repr(cell) if cell else "nothing"
        raise UnusableRecordError(f"expected a finite number in the column {column!r}, got {got}")
    return value


def features(record: RawRecord, settings: DataSettings) -> dict[str, tf.train.Feature]:
    """Returns a float32 for each column.

    Raises:
        UnusableRecordError: If a cell is empty, no number, not finite, or too large for float32.
    """
    cells = json.loads(record.content)
    return {
        name: tf.train.Feature(float_list=tf.train.FloatList(value=[_number(column, cell)]))
        for name, column, cell in zip(settings.inputs, settings.columns, cells, strict=True)
    }
