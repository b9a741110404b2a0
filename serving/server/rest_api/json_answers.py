"""The JSON bodies of predict answers: `predictions` row by row, or `outputs` column by column."""

import base64
import json
from collections.abc import Mapping, Sequence

import numpy as np

from serving.server.errors import invalid_argument
from serving.server.rest_api.json_values import Json


def render(outputs: Mapping[str, np.ndarray], *, by_row: bool) -> bytes:
    """Writes the answer in the format of the request.

    Raises:
        ServingError: INVALID_ARGUMENT if the outputs cannot be split into rows, or have no JSON form.
    """
    if not outputs:
        raise invalid_argument("Cannot convert empty tensor map to JSON")
    if by_row:
        _check_batch(outputs)
    columns = {
        alias: to_json(array, as_bytes=alias.endswith("_bytes")) for alias, array in sorted(outputs.items())
    }
    if not by_row:
        return _dump({"outputs": columns if len(columns) > 1 else next(iter(columns.values()))})
    if len(columns) == 1:
        return _dump({"predictions": next(iter(columns.values()))})
    rows = zip(*columns.values(), strict=True)
    return _dump({"predictions": [dict(zip(columns, row, strict=True)) for row in rows]})


def to_json(array: np.ndarray, *, as_bytes: bool) -> Json:
    """Turns an array into nested lists that `json.dumps` can write.

    Args:
        array: Numbers, booleans, or an object array of bytes.
        as_bytes: Writes strings as `{"b64": ...}`.

    Raises:
        ServingError: INVALID_ARGUMENT if the dtype has no JSON form.
    """
    if array.dtype == object:
        flat = [_text(item, as_bytes) for item in array.ravel().tolist()]
        return _nested(flat, array.shape)
    if array.dtype == np.float32:  # by way of its shortest decimal form: 0.2, not 0.20000000298
        return array.astype("U32").astype(np.float64).tolist()
    if array.dtype == np.float64 or array.dtype.kind in "biu":
        return array.tolist()
    raise invalid_argument(f"Failed to write JSON value for tensor type: {array.dtype}")


def _check_batch(outputs: Mapping[str, np.ndarray]) -> None:
    expected: int | None = None
    for alias, array in sorted(outputs.items()):
        if array.ndim == 0:
            raise invalid_argument(f"Tensor name: {alias} has no shape information ")
        if expected is not None and len(array) != expected:
            raise invalid_argument(
                f"Tensor name: {alias} has inconsistent batch size: {len(array)} expecting: {expected}"
            )
        expected = len(array)


def _text(item: bytes, as_bytes: bool) -> Json:
    if as_bytes:
        return {"b64": base64.b64encode(item).decode("ascii")}
    return item.decode("utf-8", "replace")


def _nested(flat: list[Json], shape: Sequence[int]) -> Json:
    if not shape:
        return flat[0]
    stride = len(flat) // shape[0] if shape[0] else 0
    return [_nested(flat[i * stride : (i + 1) * stride], shape[1:]) for i in range(shape[0])]


def _dump(answer: Json) -> bytes:
    return json.dumps(answer).encode("utf-8")
