import numpy as np
import pytest

NAMES = "float32 float64 float16 int8 int16 int32 int64 uint8 uint16 uint32 uint64 bool complex64 complex128 bfloat16"


def encoded(array, **how):
    from tensorflow.core.framework import tensor_pb2

    from serving.server import encoding

    return tensor_pb2.TensorProto.FromString(encoding.tensor(array, **how))


@pytest.mark.parametrize("as_content", [False, True])
@pytest.mark.parametrize("name", NAMES.split())
def test_every_type_goes_out_in_typed_fields_or_as_bytes_where_told_and_comes_back(name, as_content):
    import tensorflow as tf

    from serving.server.execution import tensors

    array = np.array([[0, 1, 1], [1, 0, 1]]).astype(tf.as_dtype(name).as_numpy_dtype)
    proto = encoded(array, as_content=as_content)
    assert bool(proto.tensor_content) is as_content
    np.testing.assert_array_equal(tensors.from_proto(proto, "x"), array)


@pytest.mark.parametrize("shape", [(), (0,), (1,), (2, 0, 3), (2, 3), (11,), (40, 50)])
@pytest.mark.parametrize("name", [*NAMES.split(), "string"])
def test_a_tensor_is_what_tensorflow_makes_of_the_array(name, shape):
    import tensorflow as tf

    numbers = np.arange(np.prod(shape, dtype=int)).reshape(shape) % 100
    array = numbers.astype(str).astype(object) if name == "string" else numbers
    if name == "string":
        array = np.frompyfunc(str.encode, 1, 1)(array) if shape else np.array(b"0", object)
    array = np.asarray(array, tf.as_dtype(name).as_numpy_dtype)
    np.testing.assert_array_equal(tf.make_ndarray(encoded(array)), array)


def test_truth_values_that_are_other_bytes_than_0_and_1_go_out_as_truth_values():
    proto = encoded(np.frombuffer(b"\xff\x01\x00\x80\x02", np.bool_))
    assert list(proto.bool_val) == [True, True, False, True, True]


@pytest.mark.parametrize("count", [0, 1, 31, 32, 5000])
def test_a_packed_field_holds_the_values_as_they_are_however_many(count):
    values = np.resize(np.array([-0.0, np.inf, -np.inf, np.nan, 1e-45, 0.1], np.float32), count)
    proto = encoded(np.stack([values, values], axis=1)[:, 0])  # not in one piece
    np.testing.assert_array_equal(
        np.array(proto.float_val, np.float32).view(np.uint32), values.view(np.uint32)
    )
    assert [dim.size for dim in proto.tensor_shape.dim] == [count]


def test_strings_have_no_bytes_form():
    proto = encoded(np.array([b"a", b"\xff", b"c" * 300], object), as_content=True)
    assert (list(proto.string_val), proto.tensor_content) == ([b"a", b"\xff", b"c" * 300], b"")


@pytest.mark.parametrize("as_content", [False, True])
def test_an_answer_says_who_gave_it_and_holds_every_output(as_content):
    from tensorflow_serving.apis import predict_pb2

    from serving.server import encoding
    from serving.server.execution import tensors
    from serving.server.model_ref import ModelRef

    outputs = {
        "label": np.array([b"a" * 200], object),
        "p" * 200: np.ones((3, 100), np.float32),
        "empty": np.empty((0, 2), np.int64),
        "": np.array(7, np.int32),
    }
    ref = ModelRef("digits", label="stable", signature_name="serving_default")
    written = encoding.prediction(ref, 2**40, outputs, as_content=as_content)
    answer = predict_pb2.PredictResponse.FromString(written)
    spec = answer.model_spec
    assert (spec.name, spec.signature_name, spec.version.value) == ("digits", "serving_default", 2**40)
    assert answer.outputs.keys() == outputs.keys()
    for alias, array in outputs.items():
        np.testing.assert_array_equal(tensors.from_proto(answer.outputs[alias], alias), array)


def test_a_type_that_no_field_holds_is_named():
    from serving.server import encoding
    from serving.server.errors import Code, ServingError

    with pytest.raises(ServingError, match="Tensors of type") as caught:
        encoding.tensor(np.zeros(1, _quantized()))
    assert caught.value.code is Code.UNIMPLEMENTED


def _quantized():
    import tensorflow as tf

    return tf.quint8.as_numpy_dtype
