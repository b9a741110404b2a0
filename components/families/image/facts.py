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

__all__ = ["RecordSettings", "ValidationSettings", "columns", "content", "drifting", "expectations", "facts"]


def columns(record: RecordSettings) -> tuple[str, ...]:
    """Returns the names of the facts.

    Sides are in pixels, those of the `source` before it was brought to the model's size; `mean` and `std` are over raw
    intensities, 0 to 255; `sharpness` is the variance of their Laplacian.
    """
    return ("height", "width", "channels", "source_height", "source_width", "mean", "std", "sharpness")


def facts(example: tf.train.Example, record: RecordSettings) -> dict[str, object]:
    """Returns the facts of the image as training takes it."""
    with Image.open(io.BytesIO(content(example, record))) as image:
        intensities = np.asarray(image, dtype=np.float32)
        width, height, channels = *image.size, len(image.getbands())
    source_height, source_width = pixels.source_size_of(example)
    return {
        "height": height,
        "width": width,
        "channels": channels,
        "source_height": source_height,
        "source_width": source_width,
        "mean": float(intensities.mean()),
        "std": float(intensities.std()),
        "sharpness": _sharpness(intensities),
    }


def _sharpness(intensities: np.ndarray) -> float:
    """Returns the variance of the Laplacian: the fewer edges, and the softer, the smaller.

    Pech-Pacheco et al., Diatom autofocusing in brightfield microscopy, 2000.

    Args:
        intensities: float32 `[height, width]` or `[height, width, channels]`, sides of at least 3.
    """
    beside = intensities[1:-1, :-2] + intensities[1:-1, 2:]
    above_and_below = intensities[:-2, 1:-1] + intensities[2:, 1:-1]
    return float((beside + above_and_below - 4 * intensities[1:-1, 1:-1]).var())


def content(example: tf.train.Example, record: RecordSettings) -> bytes:
    """Returns the bytes of the image file."""
    return pixels.file_of(example)


def expectations(settings: ValidationSettings, record: RecordSettings) -> list[Any]:
    """Returns what must hold for each image."""
    size, (darkest, lightest) = record.image, settings.mean_intensity
    return [
        gxe.ExpectColumnValuesToBeInSet(column="height", value_set=[size.height]),
        gxe.ExpectColumnValuesToBeInSet(column="width", value_set=[size.width]),
        gxe.ExpectColumnValuesToBeInSet(column="channels", value_set=[size.channels]),
        gxe.ExpectColumnValuesToBeBetween(column="mean", min_value=darkest, max_value=lightest),
        gxe.ExpectColumnValuesToBeBetween(column="std", min_value=0, strict_min=True),
    ]


def drifting(record: RecordSettings) -> dict[str, str]:
    """Returns by fact the setting that limits its drift."""
    return {
        "source_height": "max_source_side_drift",
        "source_width": "max_source_side_drift",
        "mean": "max_intensity_drift",
        "std": "max_intensity_drift",
        "sharpness": "max_sharpness_drift",
    }
