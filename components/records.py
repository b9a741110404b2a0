"""The shared vocabulary of image examples: feature names, splits, and how bytes become pixels.

The same decoding runs in training, in evaluation and inside the served model, so they cannot drift apart.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf

IMAGE = "image"  # bytes of an image file (PNG, JPEG, GIF or BMP)
LABEL = "label"  # int64, index into the pipeline's classes
ID = "id"  # bytes, unique and stable under re-ingestion
SPLITS = ("train", "eval", "test")

MAX_INTENSITY = 255.0


@dataclass(frozen=True)
class ImageShape:
    """Height and width in pixels, and channels: 1 (grey) or 3 (RGB)."""

    height: int
    width: int
    channels: int


def example(image: bytes, label: int, record_id: str) -> tf.train.Example:
    """Returns one tf.Example as every Examples artifact of Slipway holds it."""

    def of_bytes(value: bytes) -> tf.train.Feature:
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))

    return tf.train.Example(
        features=tf.train.Features(
            feature={
                IMAGE: of_bytes(image),
                LABEL: tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
                ID: of_bytes(record_id.encode()),
            }
        )
    )


def split_files(examples_dir: str | Path, split: str) -> list[str]:
    """Returns the gzip'd TFRecord files of one split of an Examples artifact, in order."""
    return sorted(str(path) for path in (Path(examples_dir) / f"Split-{split}").glob("*.gz"))


def read_split(examples_dir: str | Path, split: str) -> Iterator[tf.train.Example]:
    """Yields the examples of one split, in file order."""
    # A thousand at a time: handing records over one by one takes longer than reading them.
    batches = tf.data.TFRecordDataset(split_files(examples_dir, split), "GZIP").batch(1000)
    for batch in batches.as_numpy_iterator():
        for record in batch:
            yield tf.train.Example.FromString(record)


def count(examples_dir: str | Path, split: str) -> int:
    """Returns the number of examples in one split; nothing is decoded."""
    records = tf.data.TFRecordDataset(split_files(examples_dir, split), "GZIP")
    return int(records.reduce(tf.constant(0, tf.int64), lambda total, _: total + 1))


def write_split(examples_dir: str | Path, split: str, examples: Iterator[tf.train.Example]) -> int:
    """Writes one split as a single gzip'd TFRecord file and returns the number of examples."""
    folder = Path(examples_dir) / f"Split-{split}"
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    with tf.io.TFRecordWriter(str(folder / "data_tfrecord-00000-of-00001.gz"), "GZIP") as writer:
        for item in examples:
            writer.write(item.SerializeToString(deterministic=True))
            count += 1
    return count


def decode_images(image_bytes: tf.Tensor, shape: ImageShape) -> tf.Tensor:
    """Decodes image files and resizes them.

    Args:
        image_bytes: string `[n]`, each the bytes of an image file of any size.
        shape: What the model takes.

    Returns:
        float32 `[n, height, width, channels]`, raw intensities in [0, 255].

    Raises:
        tf.errors.InvalidArgumentError: If an element is not a readable image (when the graph runs).
    """

    def decode(encoded: tf.Tensor) -> tf.Tensor:
        image = tf.io.decode_image(encoded, channels=shape.channels, expand_animations=False)
        image.set_shape([None, None, shape.channels])
        return tf.image.resize(tf.cast(image, tf.float32), [shape.height, shape.width])

    images = tf.map_fn(decode, image_bytes, fn_output_signature=tf.float32)
    return tf.ensure_shape(images, [None, shape.height, shape.width, shape.channels])


def parse_examples(serialized: tf.Tensor) -> dict[str, tf.Tensor]:
    """Parses serialized tf.Examples, string `[n]`, into `image` (string `[n]`) and `label` (int64 `[n]`).

    A missing label becomes -1: a request to a served model has none.
    """
    return tf.io.parse_example(
        serialized,
        {
            IMAGE: tf.io.FixedLenFeature([], tf.string),
            LABEL: tf.io.FixedLenFeature([], tf.int64, default_value=-1),
        },
    )


def scale(images: tf.Tensor) -> tf.Tensor:
    """Maps raw intensities, float32 in [0, 255], to the model's range [0, 1]."""
    return images / MAX_INTENSITY


def dataset(
    examples_dir: str | Path,
    split: str,
    shape: ImageShape,
    *,
    batch_size: int,
    shuffle_seed: int | None = None,
) -> tf.data.Dataset:
    """Returns batches of one split as the model sees them.

    Args:
        examples_dir: Folder of an Examples artifact.
        split: One of `SPLITS`.
        shape: What the model takes.
        batch_size: Examples in a batch, over all replicas together; the last may be smaller.
        shuffle_seed: Shuffles anew each epoch with this seed; `None` keeps the order.

    Returns:
        Pairs of float32 `[n, height, width, channels]` in [0, 1] and int64 `[n]`; decoded
        once, kept in memory. Its `len` is known.
    """
    files = split_files(examples_dir, split)

    @tf.autograph.experimental.do_not_convert  # plain TensorFlow; rewriting it takes longer than tracing it
    def prepared(serialized: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        parsed = parse_examples(serialized)
        return scale(decode_images(parsed[IMAGE], shape)), parsed[LABEL]

    decoded = (
        tf.data.TFRecordDataset(files, "GZIP").batch(256).map(prepared, tf.data.AUTOTUNE).unbatch().cache()
    )
    if shuffle_seed is not None:
        decoded = decoded.shuffle(10_000, seed=shuffle_seed, reshuffle_each_iteration=True)
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    batches = tf.data.experimental.assert_cardinality(math.ceil(count(examples_dir, split) / batch_size))
    return decoded.batch(batch_size).apply(batches).prefetch(tf.data.AUTOTUNE).with_options(options)
