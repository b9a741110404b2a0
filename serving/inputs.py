"""From what a person has to what a model takes: files, or the rows of a CSV, as the inputs of a signature.

The model's own metadata decide, never its name. A signature takes *files* where its only input is a string `[n]` whose
name ends with `_bytes`, as TensorFlow Serving's REST API marks binary values too. It takes *rows* where each input has
one value a row: shape `[n]` or `[n, 1]`, numbers, truth values or strings.
"""

import csv
import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from contract.errors import SHOWN_FAILURES
from serving import pictures
from serving.columns import input_name
from serving.errors import InputError
from serving.signatures import DEFAULT, Signature, Tensor

BINARY_SUFFIX = "_bytes"
IMAGES = f"image{BINARY_SUFFIX}"
TRUTH = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True)
class Inputs:
    """What to send: the name of a signature, its inputs by name, and the columns that no input takes."""

    signature: str
    values: Mapping[str, np.ndarray]
    ignored: tuple[str, ...] = ()


def of_files(model: str, signatures: Mapping[str, Signature], files: Sequence[Path]) -> Inputs:
    """Returns the files as one string input `[n]`; the model decodes them.

    They are sent as they are, but for images that TensorFlow would decode to other pixels than those that the model
    has learned from.

    Raises:
        InputError: If no signature takes files, or an image cannot be used.
    """
    for name in sorted(signatures, key=lambda name: (name != DEFAULT, name)):
        if _takes_files(signatures[name]):
            (tensor,) = signatures[name].inputs
            read = _read_image if tensor.name == IMAGES else Path.read_bytes
            return Inputs(name, {tensor.name: np.array([read(path) for path in files], dtype=object)})
    raise InputError(
        f"{model} takes no files: expected a signature with a single input, a string [n] called *{BINARY_SUFFIX}; "
        f"the model offers {_described(signatures)}. {_remedy(model, signatures)}"
    )


def of_rows(model: str, signatures: Mapping[str, Signature], path: Path) -> Inputs:
    """Returns the rows of a CSV as the inputs of `serving_default`: each takes the column of its name.

    Args:
        model: Name, for messages.
        signatures: Of the model.
        path: UTF-8, columns separated by commas. The header names the inputs; every run of characters other than
            letters, digits and underscores counts as one underscore.

    Returns:
        Inputs of shape `[n]` or `[n, 1]`, as the model wants them, of its dtypes.

    Raises:
        InputError: If the model takes no rows, or the file lacks a column or has a cell of another kind.
    """
    if DEFAULT not in signatures or not _takes_rows(signatures[DEFAULT]):
        raise InputError(
            f"{model} takes no rows: expected a signature {DEFAULT} whose inputs have one value a row, of shape [n] or "
            f"[n, 1]; the model offers {_described(signatures)}. {_remedy(model, signatures)}"
        )
    wanted = signatures[DEFAULT].inputs
    header, rows = _read(path)
    places = _places(path, header, wanted)
    problems: list[str] = []
    values = {
        tensor.name: _column(
            tensor, header[places[tensor.name]], [row[places[tensor.name]] for row in rows], problems
        )
        for tensor in wanted
    }
    if problems:
        more = f" ... and {len(problems) - SHOWN_FAILURES} more." if len(problems) > SHOWN_FAILURES else ""
        raise InputError(
            f"{path} (row 1 follows the header): {' '.join(problems[:SHOWN_FAILURES])}{more} Correct the file."
        )
    ignored = tuple(column for place, column in enumerate(header) if place not in places.values())
    return Inputs(DEFAULT, values, ignored)


def _read_image(path: Path) -> bytes:
    try:
        return pictures.sendable(path.read_bytes())
    except pictures.UnclearImageError as error:
        raise InputError(f"{path}: {error}.") from error


def _takes_files(signature: Signature) -> bool:
    if len(signature.inputs) != 1:
        return False
    (tensor,) = signature.inputs
    return tensor.dtype.kind == "U" and tensor.shape in (None, (-1,)) and tensor.name.endswith(BINARY_SUFFIX)


def _takes_rows(signature: Signature) -> bool:
    return bool(signature.inputs) and all(each.shape in ((-1,), (-1, 1)) for each in signature.inputs)


def _described(signatures: Mapping[str, Signature]) -> str:
    shown = []
    for name, signature in signatures.items():
        inputs = [str(tensor) for tensor in signature.inputs]
        more = [f"{len(inputs) - 3} more"] if len(inputs) > 4 else []
        shown.append(f"{name} ({', '.join([*inputs[:3], *more] if more else inputs)})")
    return ", ".join(shown) or "no signature that can be asked"


def _remedy(model: str, signatures: Mapping[str, Signature]) -> str:
    if DEFAULT in signatures and _takes_rows(signatures[DEFAULT]):
        return f"Ask it with `slipway predict {model} --csv FILE`; the header of FILE names the inputs."
    if any(map(_takes_files, signatures.values())):
        return f"Ask it with `slipway predict {model} FILE...`."
    return "Ask it by gRPC or REST."


def _read(path: Path) -> tuple[list[str], list[list[str]]]:
    """Returns the header, without blanks around its names, and the rows, all of one length."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = [row for row in csv.reader(file, strict=True) if row] or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"Expected a CSV in UTF-8 in {path}, and it cannot be read: {error}.") from error
    header, rows = [column.strip() for column in lines[0]], lines[1:]
    if not rows:
        raise InputError(
            f"Expected a header and at least one row in {path}, got {len(header)} columns and no row."
        )
    for number, row in enumerate(rows, 1):
        if len(row) != len(header):
            raise InputError(
                f"{path}, row {number}: expected {len(header)} cells, as the header has, got {len(row)}. A cell that "
                "holds a comma or a line break is put in double quotes."
            )
    return header, rows


def _places(path: Path, header: Sequence[str], wanted: Sequence[Tensor]) -> dict[str, int]:
    """Returns the position of the column of each input."""
    names = [input_name(column) for column in header]
    twice = sorted({tensor.name for tensor in wanted if names.count(tensor.name) > 1})
    if twice:
        raise InputError(f"Expected one column for each input in {path}, got several for {', '.join(twice)}.")
    missing = [tensor.name for tensor in wanted if tensor.name not in names]
    if missing:
        known = dict(zip(names, header, strict=True))
        shown = [_with_neighbours(name, known) for name in missing[:SHOWN_FAILURES]]
        more = f" and {len(missing) - SHOWN_FAILURES} more" if len(missing) > SHOWN_FAILURES else ""
        raise InputError(
            f"Expected a column for each of the {len(wanted)} inputs in {path}; missing: {', '.join(shown)}{more}. "
            f"The header has {', '.join(map(repr, header[:SHOWN_FAILURES]))}"
            f"{', ...' if len(header) > SHOWN_FAILURES else ''}."
        )
    return {tensor.name: names.index(tensor.name) for tensor in wanted}


def _with_neighbours(name: str, known: Mapping[str, str]) -> str:
    close = [repr(known[each]) for each in difflib.get_close_matches(name, known)]
    return f"{name} (is it {' or '.join(close)}?)" if close else name


def _column(tensor: Tensor, column: str, cells: Sequence[str], problems: list[str]) -> np.ndarray:
    """Returns a column as `[n]` or `[n, 1]`; appends a sentence to `problems` for each cell of another kind."""
    values = []
    for row, cell in enumerate(cells, 1):
        try:
            values.append(_value(tensor.dtype, cell))
        except (ValueError, KeyError, OverflowError):
            problems.append(f"Row {row}, column {column!r}: expected {_kind(tensor.dtype)}, got {cell!r}.")
    dtype = object if tensor.dtype.kind == "U" else tensor.dtype
    return np.array(values, dtype).reshape([-1, *(tensor.shape or ())[1:]])


def _value(dtype: np.dtype, cell: str) -> object:
    if dtype.kind == "U":
        return cell.encode()
    if dtype.kind == "b":
        return TRUTH[cell.strip().lower()]
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            number = dtype.type(float(_digits(cell)))
        if not np.isfinite(number):
            raise ValueError
        return number
    limits, whole = np.iinfo(dtype), int(_digits(cell))
    if not limits.min <= whole <= limits.max:
        raise ValueError
    return whole


def _digits(cell: str) -> str:
    """Returns a number's text, unless it is one to Python alone: `1_000`."""
    if "_" in cell:
        raise ValueError
    return cell


def _kind(dtype: np.dtype) -> str:
    if dtype.kind == "b":
        return "true or false"
    if dtype.kind == "f":
        return f"a finite number ({dtype})"
    return f"a whole number from {np.iinfo(dtype).min} to {np.iinfo(dtype).max}"
