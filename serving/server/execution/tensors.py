"""TensorProto to numpy; the way back is `serving.server.encoding`."""

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2, types_pb2

from serving.server.errors import ServingError, invalid_argument

# A last value that stands for all that follow is part of the format, and lets a few bytes declare any size.
MAX_FILLED_BYTES = 64 * 2**20
_STRING_BYTES = 24  # of a string in TensorFlow, beside its characters
_INT64_MAX = 2**63 - 1
_VARINT32_BITS = 35  # five bytes of seven


class Wire(NamedTuple):
    """How a type travels in typed fields.

    Attributes:
        field: Of TensorProto.
        dtype: What numbers in it are.
        parts: How many of them are one number.
        as_bits: Whether they are the bits of the number.
        as_bytes: Whether the field is made of the bytes of an array.
    """

    field: str
    dtype: type[np.generic]
    parts: int = 1
    as_bits: bool = False
    as_bytes: bool = False


_TYPES: dict[tf.DType, Wire] = {
    tf.float32: Wire("float_val", np.float32, as_bytes=True),
    tf.float64: Wire("double_val", np.float64, as_bytes=True),
    tf.int8: Wire("int_val", np.int32),
    tf.int16: Wire("int_val", np.int32),
    tf.int32: Wire("int_val", np.int32),
    tf.uint8: Wire("int_val", np.int32),
    tf.uint16: Wire("int_val", np.int32),
    tf.int64: Wire("int64_val", np.int64),
    tf.uint32: Wire("uint32_val", np.uint32),
    tf.uint64: Wire("uint64_val", np.uint64),
    tf.bool: Wire("bool_val", np.bool_, as_bytes=True),
    tf.string: Wire("string_val", np.object_),
    tf.float16: Wire("half_val", np.int32, as_bits=True),
    tf.bfloat16: Wire("half_val", np.int32, as_bits=True),
    tf.complex64: Wire("scomplex_val", np.float32, parts=2, as_bytes=True),
    tf.complex128: Wire("dcomplex_val", np.float64, parts=2, as_bytes=True),
}

# By the number of the type; strings have no bytes that numpy could take.
WIRE = {dtype.as_datatype_enum: wire for dtype, wire in _TYPES.items()}
_NUMPY = {dtype.as_datatype_enum: np.dtype(dtype.as_numpy_dtype) for dtype in _TYPES if dtype != tf.string}
ENUMS = {dtype: enum for enum, dtype in _NUMPY.items()} | {np.dtype(object): types_pb2.DT_STRING}


class _Sent(NamedTuple):
    """A tensor whose type and shape there can be; of its bytes each look at the message would make a copy."""

    proto: tensor_pb2.TensorProto
    content: bytes
    shape: Sequence[int]
    values: int

    @classmethod
    def of(cls, proto: tensor_pb2.TensorProto, alias: str) -> "_Sent":
        sizes, count = [dim.size for dim in proto.tensor_shape.dim], 1
        for size in sizes:
            count *= size
            if size < 0 or count > _INT64_MAX:
                raise _unparsable(alias)
        if proto.dtype not in WIRE:
            raise _unparsable(alias)
        return cls(proto, proto.tensor_content, sizes, count)


def dtype_name(enum: int | tf.DType) -> str:
    """Returns a dtype's name as TensorFlow's C++ prints it: `float` rather than `float32`."""
    name = tf.as_dtype(enum).name
    return {"float32": "float", "float64": "double", "float16": "half"}.get(name, name)


def enum_name(array: np.ndarray) -> str:
    """Returns the dtype of an array as the .proto files spell it: `DT_FLOAT`."""
    return str(types_pb2.DataType.Name(tf.as_dtype(array.dtype).as_datatype_enum))


def from_protos(protos: Mapping[str, tensor_pb2.TensorProto]) -> dict[str, np.ndarray]:
    """Decodes the inputs of a request.

    Args:
        protos: By alias.

    Raises:
        ServingError: INVALID_ARGUMENT if a proto contradicts itself, or the shapes declare far more than was sent;
            nothing is allocated then.
    """
    sent = {alias: _Sent.of(proto, alias) for alias, proto in protos.items()}
    filled = sum(map(_filled_bytes, sent.values()))
    if filled > MAX_FILLED_BYTES:
        raise invalid_argument(
            f"tensor parsing error: expected shapes that leave at most {MAX_FILLED_BYTES} bytes to be filled with "
            f"repeated values, got {filled} bytes in {', '.join(sorted(protos))}. Send every value."
        )
    return {alias: _decoded(each, alias) for alias, each in sent.items()}


def _filled_bytes(sent: _Sent) -> int:
    """Returns the size of what decoding adds to the values that were sent."""
    if sent.content:
        return 0  # there are as many values as the shape says, or decoding fails
    proto, wire = sent.proto, WIRE[sent.proto.dtype]
    values = getattr(proto, wire.field)
    missing = max(0, sent.values - len(values) // wire.parts)
    if proto.dtype == types_pb2.DT_STRING:
        return missing * (_STRING_BYTES + len(values[-1] if values else b""))
    return missing * _NUMPY[proto.dtype].itemsize


def from_proto(proto: tensor_pb2.TensorProto, alias: str) -> np.ndarray:
    """Decodes the tensor of one input as TensorFlow's `Tensor::FromProto` does.

    A shape without elements takes any values, and drops them; one with fewer elements than there are values takes the
    first of them, one with more repeats the last one; what is too large for its type loses its upper bits.

    Args:
        proto: Typed fields or tensor_content.
        alias: Name of the input, for the message.

    Returns:
        The values, not to be written to; strings as an object array of bytes.

    Raises:
        ServingError: INVALID_ARGUMENT if the proto contradicts itself.
    """
    return _decoded(_Sent.of(proto, alias), alias)


def _decoded(sent: _Sent, alias: str) -> np.ndarray:
    proto, content, count = sent.proto, sent.content, sent.values
    if not count:
        flat = np.empty(0, _NUMPY.get(proto.dtype, np.dtype(object)))
    elif proto.dtype == types_pb2.DT_STRING:
        strings = _cut(content, count, alias) if content else proto.string_val
        flat = _filled(_objects(strings[:count]), count)
    elif content:
        if len(content) != count * _NUMPY[proto.dtype].itemsize:
            raise _unparsable(alias)
        flat = np.frombuffer(content, _NUMPY[proto.dtype])
    else:
        flat = _filled(_typed(proto)[:count], count)
    try:
        return flat.reshape(sent.shape)
    except ValueError as error:  # more dimensions than numpy has
        raise _unparsable(alias) from error


def _typed(proto: tensor_pb2.TensorProto) -> np.ndarray:
    """Returns the numbers of the typed field, however many there are."""
    wire, dtype = WIRE[proto.dtype], _NUMPY[proto.dtype]
    values = getattr(proto, wire.field)
    sent = np.fromiter(values, wire.dtype, len(values))
    if wire.as_bits:
        return sent.astype(np.uint16).view(dtype)
    if wire.parts > 1:
        return sent[: len(sent) // wire.parts * wire.parts].view(dtype)
    return sent.astype(dtype, copy=False)


def _filled(sent: np.ndarray, count: int) -> np.ndarray:
    """Returns `count` values: those sent, and the last of them again, or zero, for the rest."""
    if len(sent) == count:
        return sent
    last = sent[-1] if len(sent) else b"" if sent.dtype == object else 0
    whole = np.full(count, last, sent.dtype)
    whole[: len(sent)] = sent
    return whole


def _objects(strings: Sequence[bytes]) -> np.ndarray:
    array = np.empty(len(strings), object)
    array[:] = strings
    return array


def _cut(content: bytes, count: int, alias: str) -> list[bytes]:
    """Returns the strings of a `tensor_content`: the lengths of all of them as varints, then the strings."""
    lengths, position = [], 0
    for _ in range(min(count, len(content))):  # a length takes a byte at least
        length, shift = 0, 0
        while position < len(content) and shift < _VARINT32_BITS:
            byte = content[position]
            length, shift, position = length | (byte & 127) << shift, shift + 7, position + 1
            if byte < 128:
                lengths.append(length & 0xFFFFFFFF)
                break
        else:
            raise _unparsable(alias)
    if len(lengths) != count or position + sum(lengths) != len(content):
        raise _unparsable(alias)
    ends = list(itertools.accumulate(lengths, initial=position))
    return [content[start:end] for start, end in itertools.pairwise(ends)]


def _unparsable(alias: str) -> ServingError:
    return invalid_argument(f"tensor parsing error: {alias}")
