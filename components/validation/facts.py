"""One row of facts per example: what expectations can be said about."""

import hashlib
import io

import numpy as np
import pandas as pd
from PIL import Image

from components import records

COLUMNS = ("id", "split", "label", "height", "width", "channels", "mean", "std", "digest", "splits_of_digest")


def _facts(example: records.tf.train.Example, split: str) -> dict[str, object]:
    feature = example.features.feature
    image_bytes = feature[records.IMAGE].bytes_list.value[0]
    with Image.open(io.BytesIO(image_bytes)) as image:
        pixels = np.asarray(image, dtype=np.float32)
        width, height, channels = *image.size, len(image.getbands())
    return {
        "id": feature[records.ID].bytes_list.value[0].decode(),
        "split": split,
        "label": feature[records.LABEL].int64_list.value[0],
        "height": height,
        "width": width,
        "channels": channels,
        "mean": float(pixels.mean()),
        "std": float(pixels.std()),
        "digest": hashlib.sha256(image_bytes).hexdigest(),
    }


def facts_of(examples_dir: str) -> pd.DataFrame:
    """Returns the columns `COLUMNS` for every example of every split.

    Sides are in pixels; `mean` and `std` are over raw intensities, 0 to 255; `label` is the class index;
    `splits_of_digest` is the number of splits that hold this very image.
    """
    rows = [
        _facts(example, split)
        for split in records.SPLITS
        for example in records.read_split(examples_dir, split)
    ]
    facts = pd.DataFrame(rows, columns=list(COLUMNS))
    facts["splits_of_digest"] = facts.groupby("digest")["split"].transform("nunique")
    return facts
