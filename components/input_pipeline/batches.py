"""Batches of one split for a network: decoded once where there is room to keep that, and shuffled. Knows no family."""

import logging
import math
import shutil
import tempfile
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from components import records, runtime
from components.input_pipeline import place
from components.input_pipeline.memory import available_bytes
from components.keras import tf

logger = logging.getLogger(__name__)

Parse = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]

DECODED_TOGETHER = 32 * 2**20  # bytes of examples that are decoded by one call, 256 of them at most
# Bytes, decoded, of the examples that a shuffle chooses from. Not of the memory at hand: the same seed gives the same
# order everywhere. What is kept in memory is shuffled by reference, and takes none of it.
SHUFFLED = 512 * 2**20
TENSOR_BYTES = 200  # that one takes besides its values
CACHE = "cache-"  # begins the name of a folder of decoded examples in the work folder of a node

_own: set[Path] = set()  # such folders that this process has made


def batches(
    examples_dir: str | Path,
    split: str,
    parse: Parse,
    *,
    batch_size: int,
    shuffle_seed: int | None = None,
    weighted: bool = False,
) -> tf.data.Dataset:
    """Returns batches of one split, parsed once where that can be kept: in memory, else on the disk.

    Args:
        examples_dir: Folder of an Examples artifact.
        split: One of `records.SPLITS`.
        parse: From serialized tf.Examples, string `[n]`, to what is kept of them and the labels, both `[n, ...]`. Of an
            image that is its bytes: floats take four times the room.
        batch_size: Examples in a batch, over all replicas together; the last may be smaller.
        shuffle_seed: Shuffles anew each epoch with this seed; `None` keeps the order.
        weighted: Whether `records.WEIGHT` is wanted too.

    Returns:
        Pairs as `parse` gives them, or with the weights, float32 `[n]`, as a third. Its `len` is known.
    """
    wanted = _with_weights(parse) if weighted else parse
    plain = tf.autograph.experimental.do_not_convert(wanted)  # rewriting it takes longer than tracing it
    stored = tf.data.TFRecordDataset(records.split_files(examples_dir, split), "GZIP")
    count, serialized = _extent(stored)
    size = _decoded_size(stored.batch(1).map(plain).element_spec) or math.ceil(serialized / max(1, count))
    shuffled = partial(_shuffled, window=max(1, min(count, SHUFFLED // size)), seed=shuffle_seed)
    work_dir = runtime.current().work_dir
    found = place.chosen(count * size, memory=available_bytes(), disk=shutil.disk_usage(work_dir).free)
    logger.info("Split %s, %d examples, %s", split, count, found.reason)
    if found.where == "nowhere":
        made = shuffled(stored).batch(batch_size).map(plain, tf.data.AUTOTUNE)
    else:
        together = max(1, min(256, DECODED_TOGETHER // size))
        parsed = stored.batch(together).map(plain, tf.data.AUTOTUNE).unbatch()
        kept = parsed.cache() if found.where == "memory" else _on_disk(parsed, work_dir)
        made = shuffled(kept).batch(batch_size)
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    known = tf.data.experimental.assert_cardinality(math.ceil(count / batch_size))
    return made.apply(known).prefetch(tf.data.AUTOTUNE).with_options(options)


def _with_weights(parse: Parse) -> Callable[[tf.Tensor], tuple[tf.Tensor, ...]]:
    feature = {records.WEIGHT: tf.io.FixedLenFeature([], tf.float32)}

    def with_weights(serialized: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return *parse(serialized), tf.io.parse_example(serialized, feature)[records.WEIGHT]

    return with_weights


def _extent(stored: tf.data.Dataset) -> tuple[int, int]:
    """Returns the number of serialized examples and their bytes; nothing is decoded."""
    zero = tf.zeros([2], tf.int64)
    one = tf.constant(1, tf.int64)
    found = stored.reduce(
        zero, lambda total, each: total + tf.stack([one, tf.cast(tf.strings.length(each), tf.int64)])
    )
    count, size = found.numpy().tolist()
    return count, size


def _decoded_size(spec: Any) -> int:
    """Returns the bytes of one parsed example; 0 where they differ."""
    total = 0
    for each in tf.nest.flatten(spec):
        values = each.shape[1:].num_elements()
        if values is None or each.dtype == tf.string:
            return 0
        total += values * each.dtype.size + TENSOR_BYTES
    return total


def _shuffled(data: tf.data.Dataset, *, window: int, seed: int | None) -> tf.data.Dataset:
    return data if seed is None else data.shuffle(window, seed=seed, reshuffle_each_iteration=True)


def _on_disk(parsed: tf.data.Dataset, work_dir: Path) -> tf.data.Dataset:
    """Keeps examples in files that go with the data set; those that a killed attempt left behind go first."""
    for left in set(work_dir.glob(f"{CACHE}*")) - _own:
        shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=CACHE, dir=work_dir))
    _own.add(folder)
    kept = parsed.cache(str(folder / "examples"))
    weakref.finalize(kept, shutil.rmtree, folder, ignore_errors=True)
    return kept
