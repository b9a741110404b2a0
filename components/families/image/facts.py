"""What can be expected of an image."""

import io
from typing import Any

import great_expectations.expectations as gxe
import numpy as np
import tensorflow as tf
from PIL import Image

from components.families.image import pixels
from components.families.image.data import RecordSettings
from components.families.image.settings import ValidationSettings

__all__ = ["RecordSettings", "ValidationSettings", "columns", "content", "expectations", "facts"]


def columns(record: RecordSettings) -> tuple[str, ...]:
    """Returns the names of the facts: sides in pixels, `mean` and `std` over raw intensities, 0 to 255."""
    return ("height", "width", "channels", "mean", "std")


def facts(example: tf.train.Example, record: RecordSettings) -> dict[str, object]:
    """Returns the facts of the image as training takes it."""
    with Image.open(io.BytesIO(content(example, record))) as image:
        intensities = np.asarray(image, dtype=np.float32)
        width, height, channels = *image.size, len(image.getbands())
    return {
        "height": height,
        "width": width,
        "channels": channels,
        "mean": float(intensities.mean()),
        "std": float(intensities.std()),
    }


def content(example: tf.train.Example, record: RecordSettings) -> bytes:
    """Returns the bytes of the image file."""
    return pixels.file_of(example)


def expectations(settings: ValidationSettings, record: RecordSettings) -> list[Any]:
    """Returns what must hold for each image."""
    size = record.image
    return [
        gxe.ExpectColumnValuesToBeInSet(column="height", value_set=[size.height]),
        gxe.ExpectColumnValuesToBeInSet(column="width", value_set=[size.width]),
        gxe.ExpectColumnValuesToBeInSet(column="channels", value_set=[size.channels]),
        gxe.ExpectColumnValuesToBeBetween(column="std", min_value=0, strict_min=True),
    ]
