"""A policy at work: what its operations do to one image, one after the other."""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any

import tensorflow as tf

from components.families.image.pixels import MAX_INTENSITY
from components.families.image.policy import geometry, intensities, operations
from components.families.image.policy.rand_augment import rand_augment

# What only moves pixels about is a matrix: several in a row are one movement, and blur an image once.
MATRICES: dict[type, Callable[..., tf.Tensor]] = {
    operations.Rotate: geometry.rotate,
    operations.Shift: geometry.shift,
    operations.Zoom: geometry.zoom,
    operations.Shear: geometry.shear,
}
CHANGES: dict[type, Callable[..., tf.Tensor]] = {
    operations.Flip: geometry.flip,
    operations.Crop: geometry.crop,
    operations.Brightness: intensities.brightness,
    operations.Contrast: intensities.contrast,
    operations.Noise: intensities.noise,
    operations.Cutout: intensities.cutout,
    operations.RandAugment: rand_augment,
}

Step = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def key(seed: int, record_id: tf.Tensor, copy: tf.Tensor) -> tf.Tensor:
    """Returns a number, int64 `[]`, that no other seed, record or copy has, but for accidents of a hash of 63 bits.

    Args:
        seed: Of the configuration.
        record_id: string `[]`.
        copy: int64 `[]`.
    """
    text = tf.strings.join([str(seed), tf.strings.as_string(copy), record_id], "/")
    return tf.strings.to_hash_bucket_fast(text, 2**63 - 1)


def composed(policy: Sequence[Any]) -> Step:
    """Returns what puts an image through all operations of a policy.

    It takes an image, float32 `[height, width, channels]` in [0, 255] with a shape that is known, and a key, int64
    `[]`; it gives whole intensities of the same shape, still in [0, 255]. The same image and key give the same result.

    Args:
        policy: Of `operations`.
    """
    steps = list(_steps(policy))

    def changed(image: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
        for step in steps:
            image = tf.clip_by_value(step(image, key), 0.0, MAX_INTENSITY)
        return tf.round(image)

    return changed


def _steps(policy: Sequence[Any]) -> Iterator[Step]:
    for moves, group in groupby(enumerate(policy), lambda item: type(item[1]) in MATRICES):
        if moves:
            yield _movement(list(group))
        else:
            yield from (_change(number, operation) for number, operation in group)


def _movement(group: Sequence[tuple[int, Any]]) -> Step:
    def step(image: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
        matrices = [
            MATRICES[type(operation)](operation, _seed(key, number), image.shape)
            for number, operation in group
        ]
        return geometry.moved(image, matrices)

    return step


def _change(number: int, operation: Any) -> Step:
    def step(image: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
        return CHANGES[type(operation)](image, operation, _seed(key, number))

    return step


def _seed(key: tf.Tensor, number: int) -> tf.Tensor:
    return tf.stack([key, tf.constant(number, tf.int64)])
