"""The shared vocabulary of examples: features that all have, splits, and how they are stored. Knows no family."""

import math
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path

import tensorflow as tf

from components.source import SPLITS as SPLITS

LABEL = "label"  # as the task encodes it
ID = "id"  # bytes, unique and stable under re-ingestion
SHARD_BYTES = 128 * 2**20  # before compression: what the guides of TensorFlow recommend for a file
JUDGED = "test"  # the split that models are judged on


def of_bytes(value: bytes) -> tf.train.Feature:
    """Returns a feature of one string."""
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def example(
    features: Mapping[str, tf.train.Feature], label: tf.train.Feature, record_id: str
) -> tf.train.Example:
    """Returns one tf.Example as every Examples artifact of Slipway holds it.

    Args:
        features: Of the family.
        label: Of the task.
        record_id: Unique.
    """
    every = {**features, LABEL: label, ID: of_bytes(record_id.encode())}
    return tf.train.Example(features=tf.train.Features(feature=every))


def id_of(item: tf.train.Example) -> str:
    """Returns the id of an example."""
    return item.features.feature[ID].bytes_list.value[0].decode()


def name_of_file(number: int, count: int) -> str:
    """Returns what a file of a split is called, one of `count`, numbered from 0."""
    return f"data_tfrecord-{number:05d}-of-{count:05d}.gz"


def split_files(examples_dir: str | Path, split: str) -> list[str]:
    """Returns the gzip'd TFRecord files of one split of an Examples artifact, in order."""
    return sorted(str(path) for path in (Path(examples_dir) / f"Split-{split}").glob("*.gz"))


def read_serialized(examples_dir: str | Path, split: str) -> Iterator[bytes]:
    """Yields the examples of one split as they are stored, in file order."""
    # A thousand at a time: handing records over one by one takes longer than reading them.
    batches = tf.data.TFRecordDataset(split_files(examples_dir, split), "GZIP").batch(1000)
    for batch in batches.as_numpy_iterator():
        yield from batch


def read_split(examples_dir: str | Path, split: str) -> Iterator[tf.train.Example]:
    """Yields the examples of one split, in file order."""
    yield from map(tf.train.Example.FromString, read_serialized(examples_dir, split))


def count(examples_dir: str | Path, split: str) -> int:
    """Returns the number of examples in one split; nothing is decoded."""
    records = tf.data.TFRecordDataset(split_files(examples_dir, split), "GZIP")
    return int(records.reduce(tf.constant(0, tf.int64), lambda total, _: total + 1))


def write_split(examples_dir: str | Path, split: str, examples: Iterator[tf.train.Example]) -> int:
    """Writes one split as a single gzip'd TFRecord file and returns the number of examples."""
    serialized = (item.SerializeToString(deterministic=True) for item in examples)
    return write_serialized(examples_dir, split, serialized)


def write_serialized(
    examples_dir: str | Path, split: str, examples: Iterator[bytes], *, count: int = 0, size: int = 0
) -> int:
    """Writes one split as gzip'd TFRecord files and returns the number of examples.

    Args:
        examples_dir: Folder of an Examples artifact.
        split: One of `SPLITS`.
        examples: Serialized, in the order of the files.
        count: How many there are, where that is known.
        size: Their bytes: a file gets about `SHARD_BYTES` of them. All in one where it is not known.
    """
    folder = Path(examples_dir) / f"Split-{split}"
    folder.mkdir(parents=True, exist_ok=True)
    shards = max(1, math.ceil(size / SHARD_BYTES))
    per_shard = max(1, math.ceil(count / shards))
    written = 0
    for shard in range(shards):
        path = folder / name_of_file(shard, shards)
        with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
            for item in examples if shard == shards - 1 else islice(examples, per_shard):
                writer.write(item)
                written += 1
    return written


def batches(
    examples_dir: str | Path,
    split: str,
    parse: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]],
    *,
    batch_size: int,
    shuffle_seed: int | None = None,
) -> tf.data.Dataset:
    """Returns batches of one split, parsed once and kept in memory.

    Args:
        examples_dir: Folder of an Examples artifact.
        split: One of `SPLITS`.
        parse: From serialized tf.Examples, string `[n]`, to what a network takes and the labels, both `[n, ...]`.
        batch_size: Examples in a batch, over all replicas together; the last may be smaller.
        shuffle_seed: Shuffles anew each epoch with this seed; `None` keeps the order.

    Returns:
        Pairs as `parse` gives them. Its `len` is known.
    """
    plain = tf.autograph.experimental.do_not_convert(parse)  # rewriting it takes longer than tracing it
    parsed = (
        tf.data.TFRecordDataset(split_files(examples_dir, split), "GZIP")
        .batch(256)
        .map(plain, tf.data.AUTOTUNE)
        .unbatch()
        .cache()
    )
    if shuffle_seed is not None:
        parsed = parsed.shuffle(10_000, seed=shuffle_seed, reshuffle_each_iteration=True)
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    known = tf.data.experimental.assert_cardinality(math.ceil(count(examples_dir, split) / batch_size))
    return parsed.batch(batch_size).apply(known).prefetch(tf.data.AUTOTUNE).with_options(options)
