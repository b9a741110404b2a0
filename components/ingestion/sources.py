"""Where records come from. Each source yields raw records; it decides nothing about their quality."""

import hashlib
import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from components.ingestion.settings import IngestionSettings
from contract.errors import DataError


@dataclass(frozen=True)
class RawRecord:
    r"""One labelled image, unchecked.

    Attributes:
        id: Unique and stable: the same record has the same id on every ingestion. Of a file it is the path;
            bytes that are not UTF-8 are written as `\xff`, and a backslash as two.
        image: Bytes of an image file.
        label: Name of the class, spelled like the id.
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


def _spelled(name: str) -> str:
    """Returns the name of a file as text that can be stored anywhere, and that no other name is spelled like."""
    return os.fsencode(name).replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")


def _image_folder(settings: IngestionSettings) -> Iterator[RawRecord]:
    """Yields every file of `<path>/<class>/`, in the order of their names."""
    root = Path(settings.path)
    if not root.is_dir():
        raise DataError(
            f"Ingestion expected a folder with one folder per class at {root}, and there is none. "
            "Change data.path in the pipeline's configuration."
        )
    for path in sorted(path for path in root.glob("*/*") if path.is_file()):
        try:
            image = path.read_bytes()
        except FileNotFoundError as error:
            name = _spelled(str(path))
            raise DataError(
                f"Expected the data to stay as it is while it is read, and {name} has vanished. "
                "When nothing writes to the folder any more, clear `ingest`, which takes the data as it is then."
            ) from error
        except OSError as error:
            raise DataError(
                f"Expected to read {_spelled(str(path))}, and that fails: {error.strerror}. Let whoever runs Slipway "
                "read it, or remove it; then clear `ingest`."
            ) from error
        yield RawRecord(_spelled(path.relative_to(root).as_posix()), image, _spelled(path.parent.name))


SOURCES: dict[str, Callable[[IngestionSettings], Iterator[RawRecord]]] = {
    "digits": _digits,
    "image_folder": _image_folder,
}


class Digest:
    """A SHA-256 over ids, labels and bytes of records as they are read: equal exactly when the data is equal."""

    def __init__(self) -> None:
        self._total = hashlib.sha256()

    def add(self, record: RawRecord) -> None:
        """Takes the next record."""
        for part in (record.id.encode(), record.label.encode(), hashlib.sha256(record.image).digest()):
            self._total.update(len(part).to_bytes(8, "big") + part)

    def __str__(self) -> str:
        """Returns the digest of what was taken so far, in hexadecimal digits."""
        return self._total.hexdigest()


def read(settings: IngestionSettings) -> Iterator[RawRecord]:
    """Yields the records of the configured source.

    Raises:
        DataError: If the source cannot be found or read, or changes while it is read.
    """
    return SOURCES[settings.source](settings)


def digest(settings: IngestionSettings) -> str:
    """Returns the `Digest` of all records as they are now.

    Raises:
        DataError: If the source cannot be found, or changes while it is read.
    """
    total = Digest()
    for record in read(settings):
        total.add(record)
    return str(total)
