"""Writes the augmented Examples: train enlarged, eval as it is, test left out."""

import itertools
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from components import records
from components.augmentation.balance import Copies
from components.families.interface import Augmentation, Change

BATCH = 256


def augment(
    family: Augmentation, examples_dir: str, target_dir: str, *, record: Any, settings: Any, copies: Copies
) -> dict[str, int]:
    """Writes `Split-train` with originals and augmented copies, and `Split-eval` unchanged.

    All originals come first, then the first copy of each, and so on: copies of a record lie far apart. A copy of the
    record `<id>` is called `<id>#<number>`. Memory does not grow with the data.

    Args:
        family: What changes.
        examples_dir: Examples artifact with the splits train and eval.
        target_dir: Folder of the new Examples artifact.
        record: What a record is.
        settings: The family's `AugmentationSettings`.
        copies: How many each record gets.

    Returns:
        Number of examples in the written splits.
    """
    change = _unchanged if settings.mode == "online" else family.change(record, settings)
    every = itertools.chain(
        records.read_serialized(examples_dir, "train"),
        _copied(examples_dir, copies, change),
    )
    count, size = (settings.factor * each for each in _extent(examples_dir))
    counts = {"train": records.write_serialized(target_dir, "train", every, count=count, size=size)}
    shutil.copytree(Path(examples_dir) / "Split-eval", Path(target_dir) / "Split-eval", dirs_exist_ok=True)
    counts["eval"] = records.count(target_dir, "eval")
    return counts


def _extent(examples_dir: str) -> tuple[int, int]:
    """Returns the number of originals, and their bytes."""
    count = size = 0
    for original in records.read_serialized(examples_dir, "train"):
        count, size = count + 1, size + len(original)
    return count, size


def _unchanged(original: tf.Tensor, number: tf.Tensor) -> dict[str, tf.Tensor]:
    """Leaves a copy as the original is: training changes it."""
    return {}


def _copied(examples_dir: str, copies: Copies, change: Change) -> Iterator[bytes]:
    def wanted() -> Iterator[tuple[list[bytes], list[int]]]:
        for number in range(1, copies.most + 1):
            originals = records.read_serialized(examples_dir, "train")
            takers = (original for original in originals if copies.of(original) >= number)
            while batch := list(itertools.islice(takers, BATCH)):
                yield batch, [number] * len(batch)

    @tf.autograph.experimental.do_not_convert
    def changed(original: tf.Tensor, number: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, dict[str, tf.Tensor]]:
        return original, number, change(original, number)

    options = tf.data.Options()
    # How many threads add up the pixels of one image would be told by its last digits.
    options.threading.max_intra_op_parallelism = 1
    signature = (tf.TensorSpec([None], tf.string), tf.TensorSpec([None], tf.int64))
    batches = (
        tf.data.Dataset.from_generator(wanted, output_signature=signature)
        .unbatch()
        .map(changed, tf.data.AUTOTUNE, deterministic=True)
        .batch(BATCH)
        .prefetch(2)
        .with_options(options)
    )
    for originals, numbers, features in batches.as_numpy_iterator():
        for index, (original, number) in enumerate(zip(originals, numbers, strict=True)):
            yield _copy(original, number, {name: values[index] for name, values in features.items()})


def _copy(original: bytes, number: int, features: Mapping[str, bytes]) -> bytes:
    example = tf.train.Example.FromString(original)
    changed = {**features, records.ID: f"{records.id_of(example)}#{number}".encode()}
    held = example.features.feature
    for name, value in changed.items():
        held[name].bytes_list.value[0] = value
    return bytes(example.SerializeToString(deterministic=True))
