"""RandAugment: a few changes, drawn at random, all of one strength.

The fourteen changes are those of Cubuk et al., "RandAugment: Practical automated data augmentation with a reduced
search space", 2019 (arXiv:1909.13719); how far each goes at magnitude 10 is from AutoAugment (arXiv:1805.09501, table
6). What Pillow has of them is done as Pillow does it.

An image is float32 `[height, width, channels]` of whole intensities in [0, 255], `strength` is magnitude / 10, and
`sign` a float32 `[]`, 1 or -1: which way a change goes that has two.
"""

import functools
import math
from collections.abc import Callable

import tensorflow as tf

from components.families.image.pixels import MAX_INTENSITY
from components.families.image.policy import geometry
from components.families.image.policy.operations import RandAugment

LEVELS = 256
MAX_DEGREES, MAX_SLANT, MAX_SHIFT = 30, 0.3, 0.45  # a shift is a share of the side
MAX_BLEND = 0.9
MAX_BITS_LOST = 4
SMOOTH = ((1, 1, 1), (1, 5, 1), (1, 1, 1))  # Pillow's filter SMOOTH, in 13ths

Change = Callable[[tf.Tensor, float, tf.Tensor], tf.Tensor]


def identity(image: tf.Tensor, strength: float, sign: tf.Tensor) -> tf.Tensor:
    """Returns the image."""
    return tf.identity(image)


def auto_contrast(image: tf.Tensor, strength: float, sign: tf.Tensor) -> tf.Tensor:
    """Stretches each channel to the full range."""
    low = tf.reduce_min(image, [0, 1], keepdims=True)
    span = tf.reduce_max(image, [0, 1], keepdims=True) - low
    return tf.where(span > 0, (image - low) * MAX_INTENSITY / tf.maximum(span, 1.0), image)


def equalize(image: tf.Tensor, strength: float, sign: tf.Tensor) -> tf.Tensor:
    """Makes all intensities of a channel about as frequent as each other."""
    channels = tf.unstack(tf.cast(image, tf.int32), axis=-1)
    return tf.cast(tf.stack([_equalized(channel) for channel in channels], axis=-1), tf.float32)


def _equalized(channel: tf.Tensor) -> tf.Tensor:
    flat = tf.reshape(channel, [-1])
    counts = tf.math.bincount(flat, minlength=LEVELS, maxlength=LEVELS)
    step = (tf.size(flat) - counts[tf.reduce_max(flat)]) // (LEVELS - 1)
    table = (tf.cumsum(counts, exclusive=True) + step // 2) // tf.maximum(step, 1)
    return tf.where(step > 0, tf.gather(tf.minimum(table, LEVELS - 1), channel), channel)


def rotate(image: tf.Tensor, strength: float, sign: tf.Tensor) -> tf.Tensor:
    """Turns about the centre."""
    return geometry.moved(image, [geometry.rotation(sign * strength * math.radians(MAX_DEGREES))])


def solarize(image: tf.Tensor, strength: float, sign: tf.Tensor) -> tf.Tensor:
    """Inverts what is brighter than a threshold."""
    return tf.where(image < LEVELS * (1 - strength), image, MAX_INTENSITY - image)


def posterize(image: tf.Tensor, strength: float, sign: tf.Tensor) -> tf.Tensor:
    """Keeps the higher bits alone."""
    step = 2.0 ** round(MAX_BITS_LOST * strength)
    return tf.floor(image / step) * step


def color(image: tf.Tensor, strength: float, sign: tf.Tensor) -> tf.Tensor:
    """Takes colours away, or makes them stronger."""
    return _blended(_grey(image), image, strength, sign)


def contrast(image: tf.Tensor, strength: float, sign: tf.Tensor) -> tf.Tensor:
    """Changes the distance from the mean."""
    return _blended(tf.fill(image.shape, tf.reduce_mean(_grey(image))), image, strength, sign)


def brightness(image: tf.Tensor, strength: float, sign: tf.Tensor) -> tf.Tensor:
    """Changes the distance from black."""
    return _blended(tf.zeros_like(image), image, strength, sign)


def sharpness(image: tf.Tensor, strength: float, sign: tf.Tensor) -> tf.Tensor:
    """Smooths, or does the opposite."""
    kernel = tf.constant(SMOOTH, tf.float32) / float(sum(map(sum, SMOOTH)))
    each = tf.tile(kernel[:, :, tf.newaxis, tf.newaxis], [1, 1, image.shape[-1], 1])
    padded = tf.pad(image, [[1, 1], [1, 1], [0, 0]], "SYMMETRIC")[tf.newaxis]
    smooth = tf.nn.depthwise_conv2d(padded, each, [1, 1, 1, 1], "VALID")
    return _blended(tf.reshape(smooth, image.shape), image, strength, sign)


def shear_x(image: tf.Tensor, strength: float, sign: tf.Tensor) -> tf.Tensor:
    """Slants along the horizontal axis."""
    return geometry.moved(image, [geometry.slant(sign * strength * MAX_SLANT, 0.0)])


def shear_y(image: tf.Tensor, strength: float, sign: tf.Tensor) -> tf.Tensor:
    """Slants along the vertical axis."""
    return geometry.moved(image, [geometry.slant(0.0, sign * strength * MAX_SLANT)])


def translate_x(image: tf.Tensor, strength: float, sign: tf.Tensor) -> tf.Tensor:
    """Moves to one side."""
    return geometry.moved(image, [geometry.translation(sign * strength * MAX_SHIFT * image.shape[1], 0.0)])


def translate_y(image: tf.Tensor, strength: float, sign: tf.Tensor) -> tf.Tensor:
    """Moves up or down."""
    return geometry.moved(image, [geometry.translation(0.0, sign * strength * MAX_SHIFT * image.shape[0])])


def _grey(image: tf.Tensor) -> tf.Tensor:
    if image.shape[-1] == 1:
        return image
    return tf.tile(tf.image.rgb_to_grayscale(image), [1, 1, image.shape[-1]])


def _blended(other: tf.Tensor, image: tf.Tensor, strength: float, sign: tf.Tensor) -> tf.Tensor:
    """Returns something between `other` and the image, or beyond the image."""
    return other + (1 + sign * strength * MAX_BLEND) * (image - other)


CHANGES: tuple[Change, ...] = (
    identity,
    auto_contrast,
    equalize,
    rotate,
    solarize,
    color,
    posterize,
    contrast,
    brightness,
    sharpness,
    shear_x,
    shear_y,
    translate_x,
    translate_y,
)


def rand_augment(image: tf.Tensor, operation: RandAugment, seed: tf.Tensor) -> tf.Tensor:
    """Puts an image through `operation.changes` of `CHANGES`, drawn with replacement."""
    strength, shape = operation.magnitude / 10, image.shape
    for each in tf.unstack(tf.random.experimental.stateless_split(seed, operation.changes)):
        which, way = tf.unstack(tf.random.experimental.stateless_split(each, 2))
        number = tf.random.stateless_uniform([], which, 0, len(CHANGES), tf.int32)
        sign = tf.sign(tf.random.stateless_uniform([], way) - 0.5)
        whole = tf.clip_by_value(tf.round(image), 0.0, MAX_INTENSITY)
        changes = [functools.partial(change, whole, strength, sign) for change in CHANGES]
        image = tf.ensure_shape(tf.switch_case(number, changes), shape)
    return image
