"""What the column of a table is called as an input of a served model. Standard library only."""

import re


def input_name(column: str) -> str:
    """Returns the name of the input that takes a column, as TensorFlow allows names.

    Every run of characters other than ASCII letters, digits and `_` becomes one `_`: `mean radius` is `mean_radius`.
    """
    return re.sub(r"[^A-Za-z0-9_]+", "_", column)
