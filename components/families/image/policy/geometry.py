"""Operations that move pixels.

An image is float32 `[height, width, channels]` in [0, 255], a seed an int64 `[2]`, and a matrix float32 `[3, 3]`: it
takes the place of a pixel in the changed image to that in the image before, (x, y, 1) in pixels from the centre.
"""

import functools
import math
from collections.abc import Iterable

import tensorflow as tf

from components.families.image.policy.operations import Crop, Flip, Rotate, Shear, Shift, Zoom

SMALLEST_RATIO, LARGEST_RATIO = (
    3 / 4,
    4 / 3,
)  # of a crop's proportions to those of the image; TensorFlow's defaults


def moved(image: tf.Tensor, matrices: Iterable[tf.Tensor]) -> tf.Tensor:
    """Returns the image after all of `matrices`, the first one first: interpolated once, however many they are."""
    height, width, _ = image.shape
    x, y = (width - 1) / 2, (height - 1) / 2
    chain = functools.reduce(tf.matmul, [translation(x, y), *matrices, translation(-x, -y)])
    (changed,) = tf.unstack(
        tf.raw_ops.ImageProjectiveTransformV3(
            images=image[tf.newaxis],
            transforms=tf.reshape(chain, [1, 9])[:, :8],  # the ninth is 1
            output_shape=[height, width],
            fill_value=0.0,
            interpolation="BILINEAR",
            fill_mode="NEAREST",
        ),
        num=1,
    )
    return tf.ensure_shape(changed, image.shape)


def translation(x: float | tf.Tensor, y: float | tf.Tensor) -> tf.Tensor:
    """Returns the matrix that looks `x` pixels to the right and `y` down."""
    return tf.convert_to_tensor([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]], tf.float32)


def rotation(radians: tf.Tensor) -> tf.Tensor:
    """Returns the matrix of a turn."""
    cos, sin = tf.cos(radians), tf.sin(radians)
    return tf.convert_to_tensor([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]], tf.float32)


def slant(x: float | tf.Tensor, y: float | tf.Tensor) -> tf.Tensor:
    """Returns the matrix that looks `x` pixels to the right for each row, and `y` down for each column."""
    return tf.convert_to_tensor([[1.0, x, 0.0], [y, 1.0, 0.0], [0.0, 0.0, 1.0]], tf.float32)


def within(limit: float, seed: tf.Tensor, shape: Iterable[int] = ()) -> tf.Tensor:
    """Returns amounts between `-limit` and `limit`."""
    return tf.random.stateless_uniform(tuple(shape), seed, -limit, limit)


def rotate(operation: Rotate, seed: tf.Tensor, shape: tf.TensorShape) -> tf.Tensor:
    """Returns the matrix of a turn about the centre."""
    return rotation(within(math.radians(operation.max_degrees), seed))


def shift(operation: Shift, seed: tf.Tensor, shape: tf.TensorShape) -> tf.Tensor:
    """Returns the matrix of a move."""
    height, width, _ = shape
    across, down = tf.unstack(within(operation.max_fraction, seed, [2]))
    return translation(-across * width, -down * height)


def zoom(operation: Zoom, seed: tf.Tensor, shape: tf.TensorShape) -> tf.Tensor:
    """Returns the matrix of an enlargement or a reduction."""
    inverse = 1 / (1 + within(operation.max_fraction, seed))
    return tf.linalg.diag(tf.stack([inverse, inverse, 1.0]))


def shear(operation: Shear, seed: tf.Tensor, shape: tf.TensorShape) -> tf.Tensor:
    """Returns the matrix of a slant."""
    return slant(tf.tan(within(math.radians(operation.max_degrees), seed)), 0.0)


def flip(image: tf.Tensor, operation: Flip, seed: tf.Tensor) -> tf.Tensor:
    """Mirrors an image, or leaves it."""
    across, down = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
    if operation.direction != "vertical":
        image = tf.image.stateless_random_flip_left_right(image, across)
    if operation.direction != "horizontal":
        image = tf.image.stateless_random_flip_up_down(image, down)
    return image


def crop(image: tf.Tensor, operation: Crop, seed: tf.Tensor) -> tf.Tensor:
    """Enlarges a window to the size of the image."""
    height, width, _ = image.shape
    begin, size, _ = tf.image.stateless_sample_distorted_bounding_box(
        [*image.shape],
        bounding_boxes=tf.zeros([1, 0, 4]),
        seed=seed,
        aspect_ratio_range=(SMALLEST_RATIO * width / height, LARGEST_RATIO * width / height),
        area_range=(operation.min_area, 1.0),
        use_image_if_no_bounding_boxes=True,
    )
    window = tf.slice(image, begin, size)
    return tf.ensure_shape(tf.image.resize(window, [height, width], antialias=True), image.shape)
