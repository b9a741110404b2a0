"""Where images come from, and which of them can be used."""

import io
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import tensorflow as tf
from PIL import Image

from components import records
from components.families.image import pixels
from components.families.image.data import DataSettings, ImageSettings
from components.source import RawRecord, UnusableRecordError
from contract.errors import DataError

READABLE_FORMATS = ("PNG", "JPEG", "GIF", "BMP")  # what TensorFlow decodes
DECODED_WHATEVER_THE_CHANNELS = ("PNG", "JPEG", "MPO")
OPEN_FEATURES = (pixels.IMAGE,)


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


def _check_usable(content: bytes, channels: int) -> None:
    """Raises an error where a model that takes `channels` channels could not decode a file."""
    try:
        with Image.open(io.BytesIO(content), formats=READABLE_FORMATS) as image:
            image.load()
            kind, mode = image.format, image.mode
    except Exception as error:
        raise UnusableRecordError(
            f"expected an image ({', '.join(READABLE_FORMATS)}), got {len(content)} bytes: {error}"
        ) from error
    if kind in DECODED_WHATEVER_THE_CHANNELS and mode != "CMYK":
        return
    try:  # TensorFlow reads these too, but not with every number of colours
        pixels.decode_images(tf.constant([content]), ImageSettings(height=4, width=4, channels=channels))
    except tf.errors.InvalidArgumentError as error:
        colours = "grey" if channels == 1 else "RGB"
        raise UnusableRecordError(
            f"expected an image that TensorFlow decodes as {colours}, got a {kind} of mode {mode}: save it as PNG"
        ) from error


def features(record: RawRecord, settings: DataSettings) -> dict[str, tf.train.Feature]:
    """Returns the image file as it is.

    Raises:
        UnusableRecordError: If the model could not decode it.
    """
    _check_usable(record.content, settings.image.channels)
    return {pixels.IMAGE: records.of_bytes(record.content)}
