import concurrent.futures
import socket
import subprocess
import sys

import numpy as np
import pytest


@pytest.fixture(scope="module")
def busy(start_server):
    """A server whose ports are taken by somebody else; the sockets stay open for the whole module."""
    with socket.create_server(("127.0.0.1", 0)) as grpc_port:
        yield start_server("--model_base_path=/nowhere", port=grpc_port.getsockname()[1])


@pytest.fixture(scope="module")
def broken(start_server, tmp_path_factory):
    directory = tmp_path_factory.mktemp("broken")
    (directory / "1").mkdir()
    return start_server(f"--model_base_path={directory}", "--max_num_load_retries=0")


@pytest.fixture
def single(start_server, publish, tmp_path):
    publish(3, "single")
    return start_server("--model_name=single", f"--model_base_path={tmp_path / 'single'}", "--no_such_flag=1")


def test_a_server_told_to_stop_answers_what_is_under_way_and_exits_with_0(busy, broken, single, connect):
    single.await_ready()
    assert "unknown argument: --no_such_flag=1" in single.log
    assert f"Running gRPC ModelServer at {single.address} ..." in single.log
    assert f"Exporting HTTP/REST API at:localhost:{single.rest_port} ..." in single.log
    client = connect(single.address)
    assert client.version(model="single") == 3
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        request = client.request({"rounds": np.int32(60_000)}, model="single", signature="slow")
        slow = pool.submit(client.predictions.Predict, request)
        assert client.version(model="single") == 3
        assert single.terminate() == 0
        assert slow.result().outputs["version"].int_val[0] == 3


def test_a_taken_port_is_named_and_the_server_exits(busy):
    assert busy.process.wait(60) == 255
    assert f"127.0.0.1:{busy.port} cannot be bound" in busy.log
    assert "pass another --port" in busy.log


def test_a_configured_model_that_cannot_be_loaded_ends_the_server(broken):
    assert broken.process.wait(60) == 255
    assert "Failed to start server. Error: UNKNOWN: 1 servable(s) did not become available" in broken.log


@pytest.mark.parametrize(
    ("argument", "code", "words"),
    [
        ("--version", 0, "TensorFlow Library: 2.16"),
        ("--port=high", 255, "--port must be a whole number, got 'high'"),
        ("--port=1", 255, "model_config_file are empty"),
    ],
)
def test_what_needs_no_model_answers_at_once(argument, code, words):
    done = subprocess.run(
        [sys.executable, "-m", "serving.server", argument], capture_output=True, text=True, timeout=5
    )
    assert done.returncode == code
    assert words in done.stdout + done.stderr
