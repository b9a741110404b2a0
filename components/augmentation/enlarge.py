"""Writes the augmented Examples: train enlarged, eval as it is, test left out."""

import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

from components import records
from components.augmentation.augment import vary
from components.augmentation.settings import AugmentationSettings

BATCH = 512


def _png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(file, format="PNG")
    return file.getvalue()


def _varied(
    originals: list[tf.train.Example], copy: int, shape: records.ImageShape, settings: AugmentationSettings
) -> Iterator[tf.train.Example]:
    # As a graph: run op by op, decoding takes ten times as long.
    decode = tf.function(
        lambda files: records.decode_images(files, shape), input_signature=[tf.TensorSpec([None], tf.string)]
    )
    for start in range(0, len(originals), BATCH):
        batch = originals[start : start + BATCH]
        encoded = [item.features.feature[records.IMAGE].bytes_list.value[0] for item in batch]
        images = decode(tf.constant(encoded))
        # Two integers that no other batch of this pass, and no other pass, shares.
        seed = (settings.seed, copy * 1_000_003 + start * 8)
        varied = tf.cast(tf.round(vary(images, settings=settings, seed=seed)), tf.uint8).numpy()
        for item, pixels in zip(batch, varied, strict=True):
            feature = item.features.feature
            yield records.example(
                _png(pixels),
                feature[records.LABEL].int64_list.value[0],
                f"{feature[records.ID].bytes_list.value[0].decode()}#{copy}",
            )


def enlarge(
    examples_dir: str, target_dir: str, *, shape: records.ImageShape, settings: AugmentationSettings
) -> dict[str, int]:
    """Writes `Split-train` with originals and varied copies, and `Split-eval` unchanged.

    Args:
        examples_dir: Examples artifact with the splits train and eval.
        target_dir: Folder of the new Examples artifact.
        shape: Size of the varied copies.
        settings: How much, and the seed.

    Returns:
        Number of examples in the written splits.
    """
    originals = list(records.read_split(examples_dir, "train"))

    def every() -> Iterator[tf.train.Example]:
        yield from originals
        for copy in range(1, settings.factor):
            yield from _varied(originals, copy, shape, settings)

    counts = {"train": records.write_split(target_dir, "train", every())}
    shutil.copytree(Path(examples_dir) / "Split-eval", Path(target_dir) / "Split-eval", dirs_exist_ok=True)
    counts["eval"] = records.count(target_dir, "eval")
    return counts
