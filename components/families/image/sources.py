"""Where images come from."""

import io
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from PIL import Image

from components.families.image.data import DataSettings
from components.source import RawRecord
from contract.errors import DataError


def _digits(settings: DataSettings) -> Iterator[RawRecord]:
    """Yields scikit-learn's 1,797 scans of 8x8 pixels; their 0 to 16 becomes 0 to 255."""
    import numpy as np
    from sklearn.datasets import load_digits

    scans = load_digits()
    for index, (scan, label) in enumerate(zip(scans.images, scans.target, strict=True)):
        grey = np.rint(scan * (255 / 16)).astype(np.uint8)
        file = io.BytesIO()
        Image.fromarray(grey, mode="L").save(file, format="PNG")
        yield RawRecord(f"digits-{index:05d}", file.getvalue(), str(label))


def _spelled(name: str) -> str:
    """Returns the name of a file as text that can be stored anywhere, and that no other name is spelled like."""
    return os.fsencode(name).replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")


def _image_folder(settings: DataSettings) -> Iterator[RawRecord]:
    """Yields every file of `<path>/<class>/`, in the order of their names."""
    root = Path(settings.path)
    if not root.is_dir():
        raise DataError(
            f"Ingestion expected a folder with one folder per class at {root}, and there is none. "
            "Change data.path in the pipeline's configuration."
        )
    for path in sorted(path for path in root.glob("*/*") if path.is_file()):
        try:
            content = path.read_bytes()
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
        yield RawRecord(_spelled(path.relative_to(root).as_posix()), content, _spelled(path.parent.name))


SOURCES: Mapping[str, Callable[[DataSettings], Iterator[RawRecord]]] = {
    "digits": _digits,
    "image_folder": _image_folder,
}
