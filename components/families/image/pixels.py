"""How the bytes of an image file become pixels.

The same decoding runs in training, in evaluation and inside the served model, so they cannot drift apart.
"""

import tensorflow as tf

from components.families.image.data import ImageSettings

IMAGE = "image"  # bytes of an image file (PNG, JPEG, GIF or BMP)
MAX_INTENSITY = 255.0


def decode_images(image_bytes: tf.Tensor, size: ImageSettings) -> tf.Tensor:
    """Decodes image files and resizes them.

    Args:
        image_bytes: string `[n]`, each the bytes of an image file of any size.
        size: What the model takes.

    Returns:
        float32 `[n, height, width, channels]`, raw intensities in [0, 255].

    Raises:
        tf.errors.InvalidArgumentError: If an element is not a readable image (when the graph runs).
    """

    def decode(encoded: tf.Tensor) -> tf.Tensor:
        image = tf.io.decode_image(encoded, channels=size.channels, expand_animations=False)
        image.set_shape([None, None, size.channels])
        return tf.image.resize(tf.cast(image, tf.float32), [size.height, size.width])

    images = tf.map_fn(decode, image_bytes, fn_output_signature=tf.float32)
    return tf.ensure_shape(images, [None, size.height, size.width, size.channels])


def scale(images: tf.Tensor) -> tf.Tensor:
    """Maps raw intensities, float32 in [0, 255], to the model's range [0, 1]."""
    return images / MAX_INTENSITY


def file_of(example: tf.train.Example) -> bytes:
    """Returns the bytes of an example's image file."""
    return example.features.feature[IMAGE].bytes_list.value[0]
