"""A contact sheet: originals in the first column, their augmented copies beside them."""

from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

from components import records
from components.families.image import pixels

ROWS = 8
COLUMNS = 10
TILE_PX = 64
GAP_PX = 4


def _tile(example: tf.train.Example) -> Image.Image:
    decoded = tf.io.decode_image(pixels.file_of(example), channels=3, expand_animations=False)
    return Image.fromarray(np.asarray(decoded)).resize((TILE_PX, TILE_PX), Image.Resampling.NEAREST)


def draw(examples_dir: str, path: Path) -> None:
    """Saves a PNG with the first `ROWS` training images, one a row, and their copies.

    Copies carry the id of their original with `#<number>` appended.
    """
    rows: dict[str, list[Image.Image]] = {}
    for example in records.read_split(examples_dir, "train"):
        original = records.id_of(example).rpartition("#")
        name = original[0] or original[2]
        if name in rows or len(rows) < ROWS:
            row = rows.setdefault(name, [])
            if len(row) < COLUMNS:
                row.append(_tile(example))
    width = max(len(row) for row in rows.values())
    step = TILE_PX + GAP_PX
    sheet = Image.new("RGB", (width * step + GAP_PX, len(rows) * step + GAP_PX), "white")
    for y, row in enumerate(rows.values()):
        for x, tile in enumerate(row):
            sheet.paste(tile, (GAP_PX + x * step, GAP_PX + y * step))
    sheet.save(path)
