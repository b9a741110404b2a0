"""Writes the augmented Examples: train enlarged, eval as it is, test left out."""

import itertools
import shutil
from collections.abc import Callable, Iterator, Mapping
from functools import partial
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

    In turns: where all records get as many copies, all originals come first, then the first copy of each, and so on.
    Copies of a record lie far apart. The copy of the record `<id>` is called `<id>#<number>`. Memory does not grow with
    the data.

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
    wanted = partial(_wanted, examples_dir, copies)
    if settings.mode == "online":  # training changes records; copies are as their originals
        copied: Iterator[bytes] = (_copy(original, number, {}) for original, number in wanted() if number)
    else:
        copied = _changed(wanted, family.change(record, settings))
    every = (next(copied) if number else original for original, number in wanted())
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


def _wanted(examples_dir: str, copies: Copies) -> Iterator[tuple[bytes, int]]:
    """Yields serialized originals, each with the number of the copy that is wanted of it; 0 is the original."""
    for turn in range(copies.turns):
        for original in records.read_serialized(examples_dir, "train"):
            number = copies.in_turn(original, turn)
            if number is not None:
                yield original, number


def _changed(wanted: Callable[[], Iterator[tuple[bytes, int]]], change: Change) -> Iterator[bytes]:
    """Yields the copies among what is wanted, in order; making them goes on while they are written."""

    def batched() -> Iterator[tuple[tuple[bytes, ...], tuple[int, ...]]]:
        copies = (each for each in wanted() if each[1])
        while batch := list(itertools.islice(copies, BATCH)):
            originals, numbers = zip(*batch, strict=True)
            yield originals, numbers

    @tf.autograph.experimental.do_not_convert
    def changed(original: tf.Tensor, number: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, dict[str, tf.Tensor]]:
        return original, number, change(original, number)

    options = tf.data.Options()
    # How many threads add up the pixels of one image would be told by its last digits.
    options.threading.max_intra_op_parallelism = 1
    signature = (tf.TensorSpec([None], tf.string), tf.TensorSpec([None], tf.int64))
    batches = (
        tf.data.Dataset.from_generator(batched, output_signature=signature)
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
