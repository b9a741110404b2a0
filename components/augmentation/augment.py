"""Writes the augmented Examples: train enlarged, eval as it is, test left out.

Where Beam runs: what goes from one process to another are names of files, not records.
"""

import itertools
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import apache_beam as beam
import tensorflow as tf

from components import records
from components.augmentation.balance import Copies
from components.families.interface import Augmentation, Change
from contract import files

BATCH = 256

Piece = tuple[str, int, int, str]
"""Part of the work: a file of originals, the first turn and the one after the last, the file to write."""


def augment(
    family: Augmentation,
    examples_dir: str,
    target_dir: str,
    *,
    record: Any,
    settings: Any,
    copies: Copies,
    pipeline: beam.Pipeline,
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
        pipeline: Empty; it is run here.

    Returns:
        Number of examples in the written splits.
    """
    train, eval_ = (Path(target_dir) / f"Split-{split}" for split in ("train", "eval"))
    train.mkdir(parents=True, exist_ok=True)
    pieces = _pieces(records.split_files(examples_dir, "train"), train, copies, settings.factor)
    with TemporaryDirectory(dir=target_dir, prefix=".") as scratch:
        total = Path(scratch, "written")
        with pipeline:
            _ = (
                pipeline
                | "Pieces" >> beam.Create(pieces)
                | "Write" >> beam.ParDo(_Writer(family, record, settings, copies))
                | "Count" >> beam.CombineGlobally(sum)
                | "Note" >> beam.Map(_note, str(total))
            )
        written = int(total.read_text())
    for left in train.glob(".*"):  # of a worker that was lost
        left.unlink()
    shutil.copytree(Path(examples_dir) / "Split-eval", eval_, dirs_exist_ok=True)
    return {"train": written, "eval": records.count(target_dir, "eval")}


def _pieces(originals: Sequence[str], folder: Path, copies: Copies, factor: int) -> list[Piece]:
    """Returns a piece for each file that is written: `factor` for each file of originals, of about its size.

    Files are in the order of their turns first: so are the records of all of them together.
    """
    parts = min(factor, copies.turns)
    ends = [copies.turns * part // parts for part in range(parts + 1)]
    count = parts * len(originals)
    return [
        (source, *turns, str(folder / records.shard_name(part * len(originals) + number, count)))
        for part, turns in enumerate(itertools.pairwise(ends))
        for number, source in enumerate(originals)
    ]


def _note(count: int, path: str) -> None:
    files.write(Path(path), str(count))


class _Writer(beam.DoFn):
    """Writes pieces; yields the number of examples in each."""

    def __init__(self, family: Augmentation, record: Any, settings: Any, copies: Copies) -> None:
        self._family, self._record, self._settings, self._copies = family, record, settings, copies

    def process(self, piece: Piece) -> Iterator[int]:
        source, first, end, target = piece
        wanted = partial(_wanted, source, range(first, end), self._copies)
        if self._settings.mode == "online":  # training changes records; copies are as their originals
            copied: Iterator[bytes] = (_copy(original, number, {}) for original, number in wanted() if number)
        else:
            copied = _changed(wanted, self._family.change(self._record, self._settings))
        mixed = (next(copied) if number else original for original, number in wanted())
        # Where there are copies alone, reading originals beside them would wait for the threads that make copies.
        every = copied if self._copies.alike and first else mixed
        yield records.write_file(Path(target), every)


def _wanted(source: str, turns: Iterable[int], copies: Copies) -> Iterator[tuple[bytes, int]]:
    """Yields serialized originals, each with the number of the copy that is wanted of it; 0 is the original."""
    for turn in turns:
        for original in records.read_file(source):
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
