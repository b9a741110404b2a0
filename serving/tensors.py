"""numpy to TensorProto and back, without TensorFlow.

Format: tensorflow/core/framework/tensor.proto. Values are either the bytes of the array (`tensor_content`, little
endian) or a typed field, whose last value fills the rest of the shape.
"""

from typing import Any

import numpy as np

from serving.apis import tensor_pb2, types_pb2

# By dtype: the enum, and the typed field that small tensors use.
_KINDS: dict[np.dtype, tuple[int, str]] = {
    np.dtype(name): (enum, field)
    for name, enum, field in (
        ("float16", types_pb2.DT_HALF, "half_val"),
        ("float32", types_pb2.DT_FLOAT, "float_val"),
        ("float64", types_pb2.DT_DOUBLE, "double_val"),
        ("int8", types_pb2.DT_INT8, "int_val"),
        ("int16", types_pb2.DT_INT16, "int_val"),
        ("int32", types_pb2.DT_INT32, "int_val"),
        ("uint8", types_pb2.DT_UINT8, "int_val"),
        ("uint16", types_pb2.DT_UINT16, "int_val"),
        ("int64", types_pb2.DT_INT64, "int64_val"),
        ("uint32", types_pb2.DT_UINT32, "uint32_val"),
        ("uint64", types_pb2.DT_UINT64, "uint64_val"),
        ("bool", types_pb2.DT_BOOL, "bool_val"),
    )
}
_BY_ENUM = {enum: dtype for dtype, (enum, _) in _KINDS.items()}


def dtype_of(enum: int) -> np.dtype:
    """Returns numpy's dtype for TensorFlow's; `str` for strings.

    Raises:
        TypeError: If it is neither a number, a truth value nor a string.
    """
    if enum == types_pb2.DT_STRING:
        return np.dtype("str")
    if enum not in _BY_ENUM:
        raise TypeError(
            f"Expected a tensor of numbers, truth values or strings, got {types_pb2.DataType.Name(enum)}."
        )
    return _BY_ENUM[enum]


def to_proto(value: Any) -> tensor_pb2.TensorProto:
    """Encodes an array, or what numpy makes one of.

    Raises:
        TypeError: If its dtype is neither a number, a truth value nor a string.
    """
    array = np.asarray(value)
    proto = tensor_pb2.TensorProto()
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    if array.dtype.kind in "OSU":
        proto.dtype = types_pb2.DT_STRING
        proto.string_val.extend(
            each.encode() if isinstance(each, str) else bytes(each) for each in array.ravel().tolist()
        )
        return proto
    if array.dtype not in _KINDS:
        raise TypeError(f"Expected numbers, truth values or strings, got an array of {array.dtype}.")
    proto.dtype = _KINDS[array.dtype][0]
    proto.tensor_content = np.ascontiguousarray(array).tobytes()
    return proto


def to_array(proto: tensor_pb2.TensorProto) -> np.ndarray:
    """Decodes a tensor; strings become an object array of bytes.

    Raises:
        TypeError: If its dtype is none of those that `to_proto` writes.
        ValueError: If its values do not fill its shape.
    """
    shape = [dimension.size for dimension in proto.tensor_shape.dim]
    if proto.dtype == types_pb2.DT_STRING:
        return _filled(np.array(list(proto.string_val), dtype=object), shape)
    dtype = dtype_of(proto.dtype)
    field = _KINDS[dtype][1]
    if proto.tensor_content:
        return np.frombuffer(proto.tensor_content, dtype).reshape(shape).copy()
    if dtype == np.float16:  # its typed field holds the bits, as whole numbers
        return _filled(np.array(proto.half_val, dtype=np.uint16).view(dtype), shape)
    return _filled(np.array(getattr(proto, field), dtype=dtype), shape)


def _filled(values: np.ndarray, shape: list[int]) -> np.ndarray:
    missing = int(np.prod(shape, dtype=np.int64)) - len(values)
    if missing > 0 and len(values):
        values = np.concatenate([values, np.repeat(values[-1:], missing)])
    return values.reshape(shape)
