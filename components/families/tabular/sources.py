"""Where rows come from."""

from collections.abc import Callable, Iterator, Mapping

from components.families.tabular.csv_file import csv_file
from components.families.tabular.data import DataSettings, positions
from components.families.tabular.row import content_of
from components.source import RawRecord


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
