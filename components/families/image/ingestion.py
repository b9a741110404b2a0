"""Which images can be used, and what a record of one holds: the very pixels that training takes."""

import numpy as np
import tensorflow as tf

from components import records
from components.families.image import pixels
from components.families.image.data import DataSettings
from components.families.image.thumbnail import thumbnail
from components.source import RawRecord, UnusableRecordError
from serving import pictures

__all__ = ["OPEN_FEATURES", "DataSettings", "features", "thumbnail"]

OPEN_FEATURES = (pixels.IMAGE,)
NOTED = (pixels.SOURCE_SIZE,)


def features(record: RawRecord, settings: DataSettings) -> dict[str, tf.train.Feature]:
    """Returns the image as a PNG of the size that the model takes, and the size that it had; nothing else of the file.

    Raises:
        UnusableRecordError: If it is no image that can be learned from.
    """
    size = settings.image
    try:
        shown = pictures.pixels(
            record.content, channels=size.channels, max_megapixels=settings.max_megapixels
        )
    except (pictures.NoImageError, pictures.UnclearImageError) as error:
        raise UnusableRecordError(str(error)) from error
    height, width, _ = shown.shape
    if min(height, width) < settings.min_side_px:
        raise UnusableRecordError(
            f"expected sides of at least {settings.min_side_px} pixels (data.min_side_px), got {width} x {height}"
        )
    stays = (height, width) == (size.height, size.width)
    stored = shown if stays else pixels.resized(tf.constant(shown), size).numpy()
    if _is_blank(shown):
        raise UnusableRecordError("expected an image of something, got one flat colour")
    if not stays and _is_blank(stored):
        raise UnusableRecordError(
            f"expected an image of something, got one flat colour in what `resize: {size.resize}` leaves of it"
        )
    return {
        pixels.IMAGE: records.of_bytes(pictures.png(stored)),
        pixels.SOURCE_SIZE: tf.train.Feature(int64_list=tf.train.Int64List(value=[height, width])),
    }


def _is_blank(image: np.ndarray) -> bool:
    return bool((image == image[0, 0]).all())
