"""Random, label-preserving changes to images. Pure functions of images and a seed."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import tensorflow as tf

from components import records
from components.families.image import pixels
from components.families.image.data import RecordSettings
from components.families.image.preview import draw
from components.families.image.settings import AugmentationSettings
from serving import pictures

BATCH = 512


def _affine(images: tf.Tensor, angles: tf.Tensor, shifts: tf.Tensor) -> tf.Tensor:
    """Rotates about the centre by `angles` [n] (radians), then moves by `shifts` [n, 2] (pixels: y, x)."""
    height, width = images.shape[1], images.shape[2]
    cos, sin = tf.cos(angles), tf.sin(angles)
    centre_y, centre_x = (height - 1) / 2, (width - 1) / 2
    # Rows of the output-to-input transform that ImageProjectiveTransformV3 takes.
    offset_x = centre_x - cos * (centre_x + shifts[:, 1]) + sin * (centre_y + shifts[:, 0])
    offset_y = centre_y - sin * (centre_x + shifts[:, 1]) - cos * (centre_y + shifts[:, 0])
    zeros = tf.zeros_like(angles)
    transforms = tf.stack([cos, -sin, offset_x, sin, cos, offset_y, zeros, zeros], axis=1)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=transforms,
        output_shape=[height, width],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="NEAREST",
    )


def changed(images: tf.Tensor, *, settings: AugmentationSettings, seed: tuple[int, int]) -> tf.Tensor:
    """Rotates, moves and brightens each image by amounts of its own.

    Args:
        images: float32 `[n, height, width, channels]`, raw intensities in [0, 255].
        settings: The largest changes.
        seed: Two integers. The same seed and images give the same result.

    Returns:
        float32 of the same shape, still in [0, 255].

    Raises:
        ValueError: If `images` is not rank 4.
    """
    if images.shape.rank != 4:
        raise ValueError(f"images must be [n, height, width, channels], got shape {images.shape}.")
    count = tf.shape(images)[0]

    def within(limit: float, shape: list, offset: int) -> tf.Tensor:
        return tf.random.stateless_uniform(shape, [seed[0], seed[1] + offset], -limit, limit)

    angles = within(math.radians(settings.max_rotation_degrees), [count], 0)
    side = tf.constant([images.shape[1], images.shape[2]], tf.float32)
    shifts = within(settings.max_shift_fraction, [count, 2], 1) * side
    brightness = within(settings.max_brightness_change * pixels.MAX_INTENSITY, [count, 1, 1, 1], 2)
    return tf.clip_by_value(_affine(images, angles, shifts) + brightness, 0.0, pixels.MAX_INTENSITY)


def augment(
    examples: Sequence[tf.train.Example], copy: int, record: RecordSettings, settings: AugmentationSettings
) -> Iterator[dict[str, tf.train.Feature]]:
    """Yields a changed copy of each image, of the size that the model takes, as PNG."""
    # As a graph: run op by op, decoding takes ten times as long.
    decode = tf.function(
        lambda files: pixels.decode_stored(files, record.image),
        input_signature=[tf.TensorSpec([None], tf.string)],
    )
    for start in range(0, len(examples), BATCH):
        files = [pixels.file_of(example) for example in examples[start : start + BATCH]]
        # Two integers that no other batch of this pass, and no other pass, shares.
        seed = (settings.seed, copy * 1_000_003 + start * 8)
        images = changed(decode(tf.constant(files)), settings=settings, seed=seed)
        for image in tf.cast(tf.round(images), tf.uint8).numpy():
            yield {pixels.IMAGE: records.of_bytes(pictures.png(image))}


def preview(examples_dir: str, folder: Path) -> None:
    """Adds a contact sheet, `augmentation_preview.png`."""
    draw(examples_dir, folder / "augmentation_preview.png")
