"""The digits that scikit-learn brings."""

import io
from collections.abc import Iterator

from PIL import Image

from components.families.image.data import DataSettings
from components.source import Entry, RawRecord
from components.storage import bundled


def digits(settings: DataSettings) -> Iterator[RawRecord]:
    """Yields scikit-learn's 1,797 scans of 8x8 pixels; their 0 to 16 becomes 0 to 255."""
    import numpy as np
    from sklearn.datasets import load_digits

    scans = load_digits()
    for index, (scan, label) in enumerate(zip(scans.images, scans.target, strict=True)):
        grey = np.rint(scan * (255 / 16)).astype(np.uint8)
        file = io.BytesIO()
        Image.fromarray(grey, mode="L").save(file, format="PNG")
        yield RawRecord(f"digits-{index:05d}", file.getvalue(), str(label))


def listed(settings: DataSettings) -> Iterator[Entry]:
    """Yields the state of scikit-learn's file of them."""
    return bundled.entries("scikit-learn", "sklearn/datasets/data/digits.csv.gz")
