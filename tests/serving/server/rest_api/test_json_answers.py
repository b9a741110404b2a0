import json

import numpy as np
import pytest

from serving.server.errors import ServingError
from serving.server.rest_api.json_answers import render, to_json

TWO = {"p": np.array([[0.5], [1]], np.float32), "raw_bytes": np.array([b"a", b"b"], object)}


def test_rows_are_answered_with_rows():
    assert json.loads(render(TWO, by_row=True)) == {
        "predictions": [
            {"p": [0.5], "raw_bytes": {"b64": "YQ=="}},
            {"p": [1.0], "raw_bytes": {"b64": "Yg=="}},
        ]
    }
    assert json.loads(render({"p": TWO["p"]}, by_row=True)) == {"predictions": [[0.5], [1.0]]}


def test_columns_are_answered_with_columns():
    assert json.loads(render({"p": TWO["p"]}, by_row=False)) == {"outputs": [[0.5], [1.0]]}
    assert json.loads(render(TWO, by_row=False))["outputs"]["p"] == [[0.5], [1.0]]


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ({"s": np.float32(1)}, "Tensor name: s has no shape information"),
        ({"a": np.zeros(2), "b": np.zeros(3)}, "Tensor name: b has inconsistent batch size: 3 expecting: 2"),
        ({}, "Cannot convert empty tensor map to JSON"),
    ],
)
def test_outputs_that_are_no_rows_are_refused(outputs, message):
    with pytest.raises(ServingError, match=message):
        render(outputs, by_row=True)


def test_floats_are_written_as_short_as_they_read_back():
    assert to_json(np.array([0.2, 1, 1 / 3], np.float32), as_bytes=False) == [0.2, 1.0, 0.33333334]
    assert to_json(np.array([[0.1]], np.float64), as_bytes=False) == [[0.1]]


@pytest.mark.parametrize("shape", [(), (2,), (2, 1, 3), (0,), (2, 0)])
def test_strings_keep_their_shape(shape):
    array = np.full(shape, b"x", dtype=object)
    assert np.array(to_json(array, as_bytes=False), dtype=object).shape == shape


def test_bytes_are_written_as_base64_on_request():
    assert to_json(np.array([b"\xff"], object), as_bytes=True) == [{"b64": "/w=="}]


def test_an_output_without_json_form_is_refused():
    with pytest.raises(ServingError, match="Failed to write JSON value for tensor type: complex64"):
        to_json(np.zeros(1, np.complex64), as_bytes=False)
