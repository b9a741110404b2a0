import shutil

import numpy as np
import pytest

from serving.server.errors import Code, ServingError


@pytest.fixture
def load(saved_models, tmp_path):
    """Loads a copy of version 1, changed by the test."""
    from serving.server.execution import servable

    def load(change=lambda directory: None):
        directory = tmp_path / "1"
        shutil.copytree(saved_models[1], directory)
        change(directory)
        return servable.load(directory)

    return load


def test_the_private_session_call_still_takes_any_shape_and_says_what_the_op_says(load):
    model = load()
    with pytest.raises(ServingError) as caught:
        model.run("serving_default", {"x": np.ones([3], np.float32)}, ["y"], None)
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert "ndims must be >= 2" in caught.value.message


def test_a_run_is_given_up_at_its_timeout(load):
    with pytest.raises(ServingError) as caught:
        load().run("slow", {"rounds": np.int32(2**31 - 1)}, ["version"], 0.2)
    assert caught.value.code is Code.DEADLINE_EXCEEDED


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        pytest.param(
            lambda d: (d / "saved_model.pb").unlink(), Code.NOT_FOUND, "saved_model.pb", id="no graph"
        ),
        pytest.param(
            lambda d: (d / "saved_model.pb").write_bytes(b"\xff" * 99),
            Code.DATA_LOSS,
            "Cannot parse file",
            id="graph unreadable",
        ),
        pytest.param(
            lambda d: (d / "variables" / "variables.index").unlink(),
            Code.DATA_LOSS,
            "not a valid checkpoint",
            id="no variables",
        ),
        pytest.param(
            lambda d: (d / "variables" / "variables.data-00000-of-00001").write_bytes(b""),
            Code.OUT_OF_RANGE,
            "",
            id="variables cut short",
        ),
    ],
)
def test_a_damaged_model_is_refused_when_it_is_loaded(load, change, code, words):
    with pytest.raises(ServingError) as caught:
        load(change)
    assert caught.value.code is code
    assert words in caught.value.message


def test_a_signature_without_tensors_says_so(load):
    model = load()
    with pytest.raises(ServingError, match="The signature does not fit the graph"):
        model.run("__saved_model_init_op", {}, ["__saved_model_init_op"], None)
