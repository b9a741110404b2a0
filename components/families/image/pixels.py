"""How the bytes of an image file become pixels of the size that the model takes.

The same code runs in ingestion, in training, in evaluation and inside the served model, so they cannot drift apart.
"""

import tensorflow as tf

from components.families.image.data import ImageSettings

IMAGE = "image"  # bytes of a PNG file of the size that the model takes
SOURCE_SIZE = "source_size"  # height and width as the source has it, upright
MAX_INTENSITY = 255.0
LUMA = (19595, 38470, 7471)  # of Rec. 601, in 65536ths: Pillow's


def decode_stored(image_bytes: tf.Tensor, size: ImageSettings) -> tf.Tensor:
    """Decodes images as ingestion has stored them: exactly those pixels.

    Args:
        image_bytes: string `[n]`, each the bytes of a PNG file of the size that the model takes.
        size: What the model takes.

    Returns:
        float32 `[n, height, width, channels]`, raw intensities in [0, 255].

    Raises:
        tf.errors.InvalidArgumentError: If an element is no such image (when the graph runs).
    """
    return tf.cast(decode_to_bytes(image_bytes, size), tf.float32)


def decode_to_bytes(image_bytes: tf.Tensor, size: ImageSettings) -> tf.Tensor:
    """Decodes images as `decode_stored` does: uint8 `[n, height, width, channels]`."""
    signature = tf.TensorSpec([size.height, size.width, size.channels], tf.uint8)
    return tf.map_fn(lambda each: decode_one(each, size), image_bytes, fn_output_signature=signature)


def decode_one(encoded: tf.Tensor, size: ImageSettings) -> tf.Tensor:
    """Decodes one image, string `[]`, as `decode_stored` does: uint8 `[height, width, channels]`."""
    decoded = tf.io.decode_png(encoded, channels=size.channels)
    return tf.ensure_shape(decoded, [size.height, size.width, size.channels])


def decode_sent(image_bytes: tf.Tensor, size: ImageSettings) -> tf.Tensor:
    """Decodes image files of any size as ingestion would, as far as TensorFlow can: see docs/images.md.

    Args:
        image_bytes: string `[n]`, each the bytes of an image file.
        size: What the model takes.

    Returns:
        float32 `[n, height, width, channels]`, raw intensities in [0, 255].

    Raises:
        tf.errors.InvalidArgumentError: If an element is not a readable image (when the graph runs).
    """

    def decode(encoded: tf.Tensor) -> tf.Tensor:
        # In colour even where grey is wanted: TensorFlow makes some formats grey in its own way, and others not at all.
        image = tf.cond(
            tf.io.is_jpeg(encoded),
            lambda: tf.io.decode_jpeg(encoded, channels=3, dct_method="INTEGER_ACCURATE"),  # as Pillow does
            lambda: tf.io.decode_image(encoded, channels=3, expand_animations=False),
        )
        image.set_shape([None, None, 3])
        return resized(_grey(image) if size.channels == 1 else image, size)

    shape = [size.height, size.width, size.channels]
    images = tf.map_fn(decode, image_bytes, fn_output_signature=tf.TensorSpec(shape, tf.uint8))
    return tf.cast(images, tf.float32)


def _grey(image: tf.Tensor) -> tf.Tensor:
    weighed = tf.reduce_sum(tf.cast(image, tf.int32) * tf.constant(LUMA), axis=-1, keepdims=True)
    return tf.cast(tf.bitwise.right_shift(weighed + 2**15, 16), tf.uint8)


def resized(image: tf.Tensor, size: ImageSettings) -> tf.Tensor:
    """Brings an image to the size that the model takes, by `size.resize`; antialiased where it shrinks.

    Args:
        image: uint8 `[any height, any width, channels]`.
        size: What the model takes.

    Returns:
        uint8 `[height, width, channels]`; an image that has this size already stays as it is.
    """
    there = tf.cast(tf.shape(image)[:2], tf.float32)
    wanted = tf.constant([size.height, size.width], tf.float32)
    scale = wanted / there
    if size.resize == "fit":
        scale = tf.fill([2], tf.reduce_min(scale))
    elif size.resize == "crop":
        scale = tf.fill([2], tf.reduce_max(scale))
    (placed,) = tf.unstack(
        tf.raw_ops.ScaleAndTranslate(
            images=image[tf.newaxis],
            size=[size.height, size.width],
            scale=scale,
            translation=(wanted - scale * there) / 2,  # the middle stays in the middle
            kernel_type="triangle",
            antialias=True,
        ),
        num=1,
    )
    return tf.saturate_cast(tf.round(placed), tf.uint8)


def scale(images: tf.Tensor) -> tf.Tensor:
    """Maps raw intensities, float32 in [0, 255] or uint8, to the model's range [0, 1], float32."""
    return tf.cast(images, tf.float32) / MAX_INTENSITY


def file_of(example: tf.train.Example) -> bytes:
    """Returns the bytes of an example's image file."""
    return example.features.feature[IMAGE].bytes_list.value[0]


def source_size_of(example: tf.train.Example) -> tuple[int, int]:
    """Returns height and width in pixels that an example's image had before it was brought to the model's size."""
    height, width = example.features.feature[SOURCE_SIZE].int64_list.value
    return height, width
