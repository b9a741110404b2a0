"""Which images can be used, and what a record of one holds."""

import io

import tensorflow as tf
from PIL import Image

from components import records
from components.families.image import pixels
from components.families.image.data import DataSettings, ImageSettings
from components.source import RawRecord, UnusableRecordError

READABLE_FORMATS = ("PNG", "JPEG", "GIF", "BMP")  # what TensorFlow decodes
DECODED_WHATEVER_THE_CHANNELS = ("PNG", "JPEG", "MPO")
OPEN_FEATURES = (pixels.IMAGE,)


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
