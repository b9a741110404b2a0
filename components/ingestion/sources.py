"""Where records come from. Each source yields raw records; it decides nothing about their quality."""

import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from components.errors import DataError
from components.ingestion.settings import IngestionSettings


@dataclass(frozen=True)
class RawRecord:
    """One labelled image, unchecked.

    Attributes:
        id: Unique and stable: the same record has the same id on every ingestion.
        image: Bytes of an image file.
        label: Name of the class.
    """

    id: str
    image: bytes
    label: str


def _digits(settings: IngestionSettings) -> Iterator[RawRecord]:
    """Yields scikit-learn's 1,797 scans of 8x8 pixels; their 0 to 16 becomes 0 to 255."""
    import numpy as np
    from PIL import Image
    from sklearn.datasets import load_digits

    scans = load_digits()
    for index, (pixels, label) in enumerate(zip(scans.images, scans.target, strict=True)):
        grey = np.rint(pixels * (255 / 16)).astype(np.uint8)
        file = io.BytesIO()
        Image.fromarray(grey, mode="L").save(file, format="PNG")
        yield RawRecord(f"digits-{index:05d}", file.getvalue(), str(label))


def _image_folder(settings: IngestionSettings) -> Iterator[RawRecord]:
    """Yields every file of `<path>/<class>/`, in the order of their names."""
    root = Path(settings.path)
    if not root.is_dir():
        raise DataError(
            f"Ingestion expected a folder with one folder per class at {root}, and there is none. "
            "Change data.path in the pipeline's configuration."
        )
    for path in sorted(path for path in root.glob("*/*") if path.is_file()):
        yield RawRecord(path.relative_to(root).as_posix(), path.read_bytes(), path.parent.name)


SOURCES: dict[str, Callable[[IngestionSettings], Iterator[RawRecord]]] = {
    "digits": _digits,
    "image_folder": _image_folder,
}


def read(settings: IngestionSettings) -> Iterator[RawRecord]:
    """Yields the records of the configured source.

    Raises:
        DataError: If the source cannot be found.
    """
    return SOURCES[settings.source](settings)


def digest(settings: IngestionSettings) -> str:
    """Returns a SHA-256 over ids, labels and bytes of all records: equal exactly when the data is equal.

    Raises:
        DataError: If the source cannot be found.
    """
    total = hashlib.sha256()
    for record in read(settings):
        for part in (record.id.encode(), record.label.encode(), hashlib.sha256(record.image).digest()):
            total.update(len(part).to_bytes(8, "big") + part)
    return total.hexdigest()
