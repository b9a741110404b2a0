"""Operations that change pixels where they are.

An image is float32 `[height, width, channels]` in [0, 255], a seed an int64 `[2]`. Results may leave the range.
"""

import tensorflow as tf

from components.families.image.pixels import MAX_INTENSITY
from components.families.image.policy.operations import Brightness, Contrast, Cutout, Noise


def brightness(image: tf.Tensor, operation: Brightness, seed: tf.Tensor) -> tf.Tensor:
    """Adds the same to all intensities."""
    return tf.image.stateless_random_brightness(image, operation.max_change * MAX_INTENSITY, seed)


def contrast(image: tf.Tensor, operation: Contrast, seed: tf.Tensor) -> tf.Tensor:
    """Changes the distance of intensities from the mean of their channel."""
    return tf.image.stateless_random_contrast(image, 1 - operation.max_change, 1 + operation.max_change, seed)


def noise(image: tf.Tensor, operation: Noise, seed: tf.Tensor) -> tf.Tensor:
    """Adds Gaussian noise."""
    how_much, where = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
    deviation = tf.random.stateless_uniform([], how_much, 0.0, operation.max_deviation * MAX_INTENSITY)
    return image + deviation * tf.random.stateless_normal(image.shape, where)


def cutout(image: tf.Tensor, operation: Cutout, seed: tf.Tensor) -> tf.Tensor:
    """Blacks out a square, or what of it lies in the image."""
    height, width, _ = image.shape
    reach = operation.side_fraction * min(height, width) / 2
    down, across = tf.unstack(tf.random.stateless_uniform([2], seed) * [float(height), float(width)])
    rows = tf.abs(tf.range(height, dtype=tf.float32) + 0.5 - down) < reach
    columns = tf.abs(tf.range(width, dtype=tf.float32) + 0.5 - across) < reach
    return tf.where((rows[:, tf.newaxis] & columns)[..., tf.newaxis], 0.0, image)
