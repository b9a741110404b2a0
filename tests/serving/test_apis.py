import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from serving import tensors

PROJECT = Path(__file__).parents[2]
CLIENT_FIRST = """
import sys
import serving.client, serving.release.promotion, serving.release.inspection
assert "tensorflow" not in sys.modules, "TensorFlow was imported"
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from serving import tensors
assert isinstance(tensors.to_proto(1), tensor_pb2.TensorProto)
assert tf.make_ndarray(tensors.to_proto(tf.constant([1, 2]).numpy())).tolist() == [1, 2]
"""


def test_the_client_and_a_release_do_without_tensorflow_which_can_be_imported_afterwards():
    subprocess.run([sys.executable, "-W", "ignore", "-c", CLIENT_FIRST], cwd=PROJECT, check=True)


@pytest.mark.parametrize(
    "value",
    [
        np.arange(6, dtype=np.float32).reshape(2, 3),
        np.array([[b"a"], [b"\xff\0"]], dtype=object),
        np.array([1.5, -0.0], dtype=np.float16),
        np.array(np.float16(0.25)),
        np.array(7),
        np.array([True, False]),
        np.zeros((0, 3), np.float64),
    ],
    ids=["floats", "bytes", "halves", "a half", "scalar", "truth values", "empty"],
)
def test_tensors_are_encoded_and_decoded_as_tensorflow_does(value):
    assert tf.make_ndarray(tensors.to_proto(value)).tolist() == value.tolist()
    decoded = tensors.to_array(tf.make_tensor_proto(value))
    assert decoded.tolist() == value.tolist()
    assert decoded.shape == value.shape


def test_one_value_in_a_typed_field_fills_the_shape():
    proto = tf.make_tensor_proto(3.0, shape=[2, 2])
    assert tensors.to_array(proto).tolist() == [[3.0, 3.0], [3.0, 3.0]]


def test_what_is_no_tensor_of_numbers_or_strings_is_refused_with_its_dtype():
    with pytest.raises(TypeError, match="complex128"):
        tensors.to_proto(np.array([1j]))
