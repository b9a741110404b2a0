"""Where rows come from."""

from collections.abc import Iterator, Mapping

from components.families.tabular import csv_file
from components.families.tabular.data import DataSettings, positions
from components.families.tabular.row import content_of
from components.source import Entry, RawRecord, Source
from components.storage import bundled


def _breast_cancer(settings: DataSettings) -> Iterator[RawRecord]:
    """Yields scikit-learn's 569 biopsies: 30 measurements of cell nuclei, `malignant` or `benign`."""
    from sklearn.datasets import load_breast_cancer

    found = load_breast_cancer()
    places = positions(found.feature_names.tolist(), settings.columns, "scikit-learn's breast cancer data")
    for number, (row, target) in enumerate(zip(found.data, found.target, strict=True)):
        content = content_of([str(row[place]) for place in places])
        yield RawRecord(f"breast_cancer-{number:04d}", content, str(found.target_names[target]))


def _breast_cancer_file(settings: DataSettings) -> Iterator[Entry]:
    return bundled.entries("scikit-learn", "sklearn/datasets/data/breast_cancer.csv")


SOURCES: Mapping[str, Source] = {
    "breast_cancer": Source(_breast_cancer, _breast_cancer_file),
    "csv": Source(csv_file.csv_file, csv_file.listed),
}
