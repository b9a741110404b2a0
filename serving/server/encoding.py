"""numpy to TensorProto and PredictResponse, as bytes. Answers use the typed fields, as TensorFlow Serving's do.

Written as protobuf carries them (https://protobuf.dev/programming-guides/encoding/): to build a message first, field by
field, takes a small call half as long as its model.
"""

import functools
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2, tensor_shape_pb2, types_pb2
from tensorflow_serving.apis import model_pb2, predict_pb2

from serving.server.errors import Code, ServingError
from serving.server.execution import tensors
from serving.server.model_ref import ModelRef, fill_spec

_LENGTH_DELIMITED = 2  # the kind of field whose length follows: strings, messages, packed numbers
_TENSOR, _RESPONSE = (
    {field.name: field.number for field in message.DESCRIPTOR.fields}
    for message in (tensor_pb2.TensorProto, predict_pb2.PredictResponse)
)
_KEY, _VALUE = 1, 2  # of an entry of any map
_CACHED = 1024
_FEW = 10  # strings that Python writes faster than protobuf, which makes a message for them first


def prediction(
    ref: ModelRef, version: int, outputs: Mapping[str, np.ndarray], *, as_content: bool = False
) -> bytes:
    """Returns a PredictResponse.

    Args:
        ref: What was asked for.
        version: Which answers.
        outputs: By alias.
        as_content: As in `tensor`.

    Raises:
        ServingError: UNIMPLEMENTED if the dtype of an output has no field here.
    """
    written: list[bytes] = []
    for alias, array in outputs.items():
        entry = [_key(alias), *_field(_VALUE, _tensor(array, as_content))]
        written += _field(_RESPONSE["outputs"], entry)
    return b"".join([*written, _model_spec(ref, version)])


def tensor(array: np.ndarray, *, as_content: bool = False) -> bytes:
    """Returns a TensorProto with the values in their typed field, or their bytes if `as_content`; strings have none.

    Raises:
        ServingError: UNIMPLEMENTED if the dtype has no field here.
    """
    return b"".join(_tensor(array, as_content))


def _tensor(array: np.ndarray, as_content: bool) -> list[bytes]:
    """Returns the pieces of a TensorProto: they are put together once, when all are there."""
    enum = tensors.ENUMS.get(array.dtype) or tf.as_dtype(array.dtype).as_datatype_enum
    if enum not in tensors.WIRE:
        raise ServingError(
            Code.UNIMPLEMENTED, f"Tensors of type {tensors.dtype_name(enum)} cannot be returned."
        )
    header, wire = _header(enum, array.shape), tensors.WIRE[enum]
    is_string = enum == types_pb2.DT_STRING
    if as_content and not is_string:
        return [header, *_field(_TENSOR["tensor_content"], [array.tobytes()])]
    if wire.as_bytes:
        return [header, *_field(_TENSOR[wire.field], [_packed(array)])]
    flat = array.ravel()
    if is_string and flat.size <= _FEW:
        return [header, *(piece for each in flat.tolist() for piece in _field(_TENSOR[wire.field], [each]))]
    values = tensor_pb2.TensorProto()
    getattr(values, wire.field).extend((flat.view(np.uint16) if wire.as_bits else flat).tolist())
    return [header, values.SerializeToString()]


def _packed(array: np.ndarray) -> bytes:
    """Returns numbers of a fixed size, one after the other."""
    if array.dtype == np.bool_:
        array = array.view(np.uint8) != 0  # any bit means true; a byte above 127 would begin a longer number
    return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()


@functools.lru_cache(_CACHED)
def _header(enum: int, shape: tuple[int, ...]) -> bytes:
    sizes = tensor_shape_pb2.TensorShapeProto(dim=[{"size": size} for size in shape])
    return bytes(tensor_pb2.TensorProto(dtype=enum, tensor_shape=sizes).SerializeToString())


@functools.lru_cache(_CACHED)
def _model_spec(ref: ModelRef, version: int) -> bytes:
    spec = model_pb2.ModelSpec()
    fill_spec(spec, ref, version)
    return b"".join(_field(_RESPONSE["model_spec"], [spec.SerializeToString()]))


@functools.lru_cache(_CACHED)
def _key(alias: str) -> bytes:
    return b"".join(_field(_KEY, [alias.encode()]))


def _field(number: int, content: Sequence[bytes]) -> list[bytes]:
    head = _varint(number << 3 | _LENGTH_DELIMITED) + _varint(sum(map(len, content)))
    return [head, *content]


def _varint(number: int) -> bytes:
    if number < 128:
        return bytes((number,))
    written = bytearray()
    while number > 127:
        written.append(number & 127 | 128)
        number >>= 7
    written.append(number)
    return bytes(written)
