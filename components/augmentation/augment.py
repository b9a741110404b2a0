"""Random, label-preserving changes to images. Pure functions of images and a seed."""

import math

import tensorflow as tf

from components.augmentation.settings import AugmentationSettings
from components.records import MAX_INTENSITY


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


def vary(images: tf.Tensor, *, settings: AugmentationSettings, seed: tuple[int, int]) -> tf.Tensor:
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
    brightness = within(settings.max_brightness_change * MAX_INTENSITY, [count, 1, 1, 1], 2)
    return tf.clip_by_value(_affine(images, angles, shifts) + brightness, 0.0, MAX_INTENSITY)
