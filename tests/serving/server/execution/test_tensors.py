import numpy as np
import pytest

from serving.server.errors import Code, ServingError


@pytest.fixture
def proto():
    from tensorflow.core.framework import tensor_pb2

    return tensor_pb2.TensorProto()


@pytest.mark.parametrize(
    ("name", "shown"), [("float32", "float"), ("float64", "double"), ("float16", "half"), ("int32", "int32")]
)
def test_a_type_is_called_as_tensorflow_prints_it(name, shown):
    import tensorflow as tf

    from serving.server.execution import tensors

    assert tensors.dtype_name(tf.as_dtype(name)) == shown


def decoded(proto, dtype, sizes, **fields):
    import tensorflow as tf

    from serving.server.execution import tensors

    proto.dtype = tf.as_dtype(dtype).as_datatype_enum
    for size in sizes:
        proto.tensor_shape.dim.add(size=size)
    for field, value in fields.items():
        if field == "tensor_content":
            proto.tensor_content = value
        else:
            getattr(proto, field).extend(value)
    return tensors.from_protos({"x": proto})["x"]


@pytest.mark.parametrize(
    ("dtype", "sizes", "fields", "expected"),
    [
        pytest.param("float32", (2,), {"float_val": [1, 2, 3]}, [1, 2], id="more values than elements"),
        pytest.param("float32", (3,), {"float_val": [1, 2]}, [1, 2, 2], id="fewer values"),
        pytest.param("float32", (2,), {}, [0, 0], id="no values"),
        pytest.param("float32", (), {"float_val": [1, 2]}, 1, id="one number"),
        pytest.param("float32", (0, 2), {"float_val": [1]}, np.empty((0, 2)), id="values of nothing"),
        pytest.param("float32", (0,), {"tensor_content": b"123"}, [], id="bytes of nothing"),
        pytest.param("float32", (1,), {"int_val": [7]}, [0], id="values of another type"),
        pytest.param("uint8", (2,), {"int_val": [300, -1]}, [44, 255], id="more bits than the type has"),
        pytest.param("bool", (2,), {"bool_val": [True]}, [True, True], id="truth"),
        pytest.param("float16", (3,), {"half_val": [0x3C00, 0x4000]}, [1, 2, 2], id="the bits of halves"),
        pytest.param("bfloat16", (1,), {"half_val": [0x3F80, 0x4000]}, [1], id="the bits of bfloat16"),
        pytest.param("complex64", (2,), {"scomplex_val": [1, 2, 3]}, [1 + 2j, 1 + 2j], id="a half number"),
        pytest.param("int64", (1,), {"int64_val": [-(2**63), 1]}, [-(2**63)], id="a long number"),
    ],
)
def test_values_become_a_tensor_as_tensorflow_makes_it(proto, dtype, sizes, fields, expected):
    import tensorflow as tf

    array = decoded(proto, dtype, sizes, **fields)
    assert array.dtype == tf.as_dtype(dtype).as_numpy_dtype
    np.testing.assert_array_equal(array, np.array(expected, array.dtype))


LENGTHS = bytes([1, 0, 0x80 | 2, 1])  # of strings of 1, 0 and 130 bytes


@pytest.mark.parametrize(
    ("sizes", "fields", "expected"),
    [
        ((3,), {"tensor_content": LENGTHS + b"a" + b"b" * 130}, [b"a", b"", b"b" * 130]),
        ((1, 1), {"tensor_content": b"\x02\xff\x00"}, [[b"\xff\x00"]]),
        ((0,), {"tensor_content": b"\x02"}, []),
        ((1,), {"string_val": [b"a", b"b"]}, [b"a"]),
        ((3,), {"string_val": [b"a", b"b"]}, [b"a", b"b", b"b"]),
        ((2,), {}, [b"", b""]),
        ((0,), {"string_val": [b"a"]}, []),
    ],
)
def test_strings_come_as_values_or_as_lengths_and_bytes(proto, sizes, fields, expected):
    array = decoded(proto, "string", sizes, **fields)
    assert array.shape == sizes
    assert array.tolist() == expected


@pytest.mark.parametrize(
    ("dtype", "sizes", "fields"),
    [
        pytest.param("float32", (2,), {"tensor_content": b"1234"}, id="too few bytes"),
        pytest.param("float32", (1,), {"tensor_content": b"12345678"}, id="too many bytes"),
        pytest.param("float32", (1,), {"tensor_content": b"123"}, id="half a number"),
        pytest.param("float32", (-1,), {"float_val": [1]}, id="a negative size"),
        pytest.param("float32", (2**33, 2**31, 0), {}, id="a product beyond 64 bits"),
        pytest.param("float32", (1,) * 300, {"float_val": [1]}, id="more dimensions than there are"),
        pytest.param("variant", (0,), {}, id="a type that numpy has not"),
        pytest.param("string", (2,), {"tensor_content": b"\x01a"}, id="a length short"),
        pytest.param("string", (1,), {"tensor_content": b"\x02a"}, id="a byte short"),
        pytest.param("string", (1,), {"tensor_content": b"\x01ab"}, id="a byte too many"),
        pytest.param("string", (1,), {"tensor_content": b"\x80"}, id="a length without end"),
        pytest.param("string", (1,), {"tensor_content": b"\x80\x80\x80\x80\x80\x00"}, id="a length too long"),
        pytest.param("string", (2**40,), {"tensor_content": b"\x00"}, id="very many strings"),
    ],
)
def test_what_contradicts_itself_is_refused(proto, dtype, sizes, fields):
    with pytest.raises(ServingError, match=r"tensor parsing error: x$") as caught:
        decoded(proto, dtype, sizes, **fields)
    assert caught.value.code is Code.INVALID_ARGUMENT


def test_a_tensor_has_a_type(proto):
    from serving.server.execution import tensors

    with pytest.raises(ServingError, match=r"tensor parsing error: x$"):
        tensors.from_proto(proto, "x")
