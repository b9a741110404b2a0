"""What balancing has to know of every record, from wherever Beam runs: a number each, and no more."""

import io
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import apache_beam as beam
import numpy as np
import tensorflow as tf

from components import records
from components.augmentation import balance
from components.families.sections import AugmentationSettings
from contract import files

GROUP = "group-"  # begins the name of an array; the rest is the group in hexadecimal digits


def ranks(
    examples_dir: str,
    wanted: balance.Targets,
    settings: AugmentationSettings,
    *,
    pipeline: beam.Pipeline,
    shared_dir: str,
) -> dict[bytes, np.ndarray]:
    """Returns `balance.ranks` of the whole train split.

    Args:
        examples_dir: Examples artifact.
        wanted: The shares.
        settings: Of the augmentation.
        pipeline: Empty; it is run here.
        shared_dir: Folder that Beam's workers and this process write to and read from.
    """
    originals = records.split_files(examples_dir, "train")
    with TemporaryDirectory(dir=shared_dir, prefix=".") as scratch:
        parts = [(source, f"{scratch}/{number}.npz") for number, source in enumerate(originals)]
        with pipeline:
            _ = pipeline | "Files" >> beam.Create(parts) | "Rank" >> beam.ParDo(_Ranker(wanted, settings))
        found = [_read(target) for _, target in parts]
    groups = sorted({group for each in found for group in each})
    return {group: np.concatenate([each[group] for each in found if group in each]) for group in groups}


class _Ranker(beam.DoFn):
    """Writes the ranks of the records in a file."""

    def __init__(self, wanted: balance.Targets, settings: AugmentationSettings) -> None:
        self._wanted, self._settings = wanted, settings

    def process(self, part: tuple[str, str]) -> Iterator[None]:
        source, target = part
        examples = map(tf.train.Example.FromString, records.read_file(source))
        found = balance.ranks(examples, self._wanted, self._settings)
        content = io.BytesIO()
        np.savez(content, **{GROUP + group.hex(): each for group, each in found.items()})
        files.write(Path(target), content.getvalue())
        yield from ()


def _read(path: str) -> dict[bytes, np.ndarray]:
    with np.load(path) as found:
        return {bytes.fromhex(name.removeprefix(GROUP)): found[name] for name in found.files}
