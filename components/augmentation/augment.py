"""Writes the augmented Examples: train enlarged, eval as it is, test left out."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from components import records
from components.families.interface import Augmentation
from components.families.sections import AugmentationSettings


def augment(
    family: Augmentation, examples_dir: str, target_dir: str, *, record: Any, settings: AugmentationSettings
) -> dict[str, int]:
    """Writes `Split-train` with originals and augmented copies, and `Split-eval` unchanged.

    Args:
        family: What changes.
        examples_dir: Examples artifact with the splits train and eval.
        target_dir: Folder of the new Examples artifact.
        record: What a record is.
        settings: How much, and the seed.

    Returns:
        Number of examples in the written splits.
    """
    originals = list(records.read_split(examples_dir, "train"))

    def every() -> Iterator[records.tf.train.Example]:
        yield from originals
        for copy in range(1, settings.factor):
            copies = family.augment(originals, copy, record, settings)
            for original, features in zip(originals, copies, strict=True):
                label = original.features.feature[records.LABEL]
                yield records.example(features, label, f"{records.id_of(original)}#{copy}")

    counts = {"train": records.write_split(target_dir, "train", every())}
    shutil.copytree(Path(examples_dir) / "Split-eval", Path(target_dir) / "Split-eval", dirs_exist_ok=True)
    counts["eval"] = records.count(target_dir, "eval")
    return counts
