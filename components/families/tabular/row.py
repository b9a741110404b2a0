"""How the cells of a row are kept until they are checked."""

import json
from collections.abc import Sequence

import numpy as np


def content_of(cells: Sequence[str]) -> bytes:
    """Returns the content of a record: a JSON list with the text of each cell, in the order of the columns.

    Numbers are written in one way, with what float32 holds of them: rows that are the same to a model have the same
    content, and so share a split.
    """
    return json.dumps([_canonical(cell.strip()) for cell in cells]).encode()


def _canonical(cell: str) -> str:
    try:
        with np.errstate(over="ignore"):
            value = float(np.float32(float(cell))) + 0.0  # -0.0 is 0.0
    except ValueError:
        return cell
    return repr(value) if np.isfinite(value) and "_" not in cell else cell
