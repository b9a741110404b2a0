import functools

import numpy as np
import pytest

from serving.server.errors import Code, ServingError
from serving.server.rest_api.json_values import to_array

THIRTY_THREE_DEEP = functools.reduce(lambda inner, _: [inner], range(33), 1)


@pytest.mark.parametrize(
    ("value", "dtype", "expected"),
    [
        ([[1, 2.5], [3, 4]], "float", np.array([[1, 2.5], [3, 4]], np.float32)),
        (7, "int32", np.array(7, np.int32)),
        ([1, -1], "int64", np.array([1, -1])),
        ([2**64 - 1], "uint64", np.array([2**64 - 1], np.uint64)),
        ([True, False], "bool", np.array([True, False])),
        ([], "float", np.zeros([0], np.float32)),
        ([[], []], "float", np.zeros([2, 0], np.float32)),
        ([float("nan"), float("-inf")], "float", np.array([np.nan, -np.inf], np.float32)),
        ([3e38], "float", np.array([3e38], np.float32)),
    ],
)
def test_numbers_become_arrays(value, dtype, expected):
    array = to_array(value, dtype)
    assert array.dtype == expected.dtype
    np.testing.assert_array_equal(array, expected)


def test_strings_and_base64_become_bytes():
    array = to_array(["héllo", {"b64": "AP8="}, {"b64": "AP8"}], "string")
    assert array.tolist() == ["héllo".encode(), b"\x00\xff", b"\x00\xff"]


@pytest.mark.parametrize(
    ("value", "dtype", "message"),
    [
        ("a", "float", 'JSON Value: "a" Type: String is not of expected type: float'),
        ([1, True], "float", "JSON Value: true Type: True is not of expected type: float"),
        ([None], "int32", "JSON Value: null Type: Null is not of expected type: int32"),
        (1.5, "int32", "JSON Value: 1.5 Type: Number is not of expected type: int32"),
        (2**31, "int32", "JSON Value: 2147483648 Type: Number is not of expected type: int32"),
        (-1, "uint32", "JSON Value: -1 Type: Number is not of expected type: uint32"),
        (1, "string", "JSON Value: 1 Type: Number is not of expected type: string"),
        (1, "bool", "JSON Value: 1 Type: Number is not of expected type: bool"),
        (2**24, "float", "Cannot convert JSON value: 16777216 to float without loss of precision."),
        (10**400, "double", "to double without loss of precision."),
        (1e39, "float", "Cannot convert JSON value: 1e+39 to float without loss of precision."),
        ([[1, 2], [3]], "float", "Encountered list at unexpected size: 1 at level: 1 expected size: 2"),
        ([1, [2]], "float", "Encountered list at unexpected level: 1 expected < 1"),
        (
            [[1], 2],
            "float",
            "JSON Value: 2 found at incorrect level: 2 in the JSON DOM. Expected at level: 2",
        ),
        (
            THIRTY_THREE_DEEP,
            "float",
            "A tensor has at most 32 dimensions, got lists 33 deep.",
        ),
        ({"b64": "!"}, "string", "Unable to base64 decode"),
        ({"b64": "AA==", "more": 1}, "string", "not formatted correctly for base64 data"),
    ],
)
def test_what_does_not_fit_is_quoted(value, dtype, message):
    with pytest.raises(ServingError) as caught:
        to_array(value, dtype)
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert message in caught.value.message


def test_a_type_without_json_form_is_unimplemented():
    with pytest.raises(ServingError, match="Conversion of JSON Value: 1 to type: half") as caught:
        to_array(1, "half")
    assert caught.value.code is Code.UNIMPLEMENTED


def test_a_long_value_is_not_quoted_whole():
    with pytest.raises(ServingError) as caught:
        to_array("x" * 5000, "float")
    assert len(caught.value.message) < 1200
