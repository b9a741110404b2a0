import json
import os
import socket
import stat
import threading
from pathlib import Path

import pytest

from contract.errors import SlipwayError
from contract.run_folder import RunFolder
from pipelines.execution.worker import fingerprint, server
from pipelines.execution.worker.server import Server, Stale


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path))
    RunFolder.here("digits", "a-run").write("request.json", {})
    return tmp_path


@pytest.fixture
def listening(home, monkeypatch):
    """A server whose nodes say their name and end: what TFX would do is not its business."""

    def work(request):
        os.write(1, f"node {request.node} of {request.run_id}\n".encode())
        return 7

    monkeypatch.setattr(server, "_run", work)
    with Server(home / "worker.sock") as listening:
        yield listening


def ask(listening, request):
    """Sends one request and returns the answers; the server handles exactly one connection for it."""
    thread = threading.Thread(target=listening.handle_request)
    thread.start()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(str(listening.path))
        connection.sendall(request if isinstance(request, bytes) else json.dumps(request).encode() + b"\n")
        answers = [json.loads(line) for line in connection.makefile("rb")]
    thread.join()
    return answers


def test_a_node_is_run_and_its_output_and_exit_code_come_back(listening):
    answers = ask(listening, {"pipeline": "digits", "run_id": "a-run", "node": "train"})
    assert answers == [{"accepted": True}, {"line": "node train of a-run"}, {"exit_code": 7}]


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        pytest.param(b"hello\n", "Expected one JSON object", id="not JSON"),
        pytest.param(
            {"pipeline": "digits", "run_id": "a-run"}, "Expected exactly the fields", id="a field missing"
        ),
        pytest.param(
            {"pipeline": "digits", "run_id": "a-run", "node": "train", "command": "rm"},
            "Expected exactly the fields",
            id="a field too many",
        ),
        pytest.param({"pipeline": "digits", "run_id": "a-run", "node": 3}, "Expected text", id="not text"),
        pytest.param(
            {"pipeline": "digits", "run_id": "../..", "node": "train"}, "Expected a run id", id="a way out"
        ),
        pytest.param(
            {"pipeline": "digits", "run_id": "a-run\n", "node": "train"},
            "Expected a run id",
            id="a line more",
        ),
        pytest.param(
            {"pipeline": "digits", "run_id": "other", "node": "train"}, "it has no folder", id="no such run"
        ),
    ],
)
def test_anything_but_run_node_n_of_run_r_is_refused(listening, request_, message):
    (answer,) = ask(listening, request_)
    assert message in answer["refused"]


def test_only_its_owner_can_reach_the_socket(listening):
    assert stat.S_IMODE(listening.path.stat().st_mode) == 0o600


def test_a_socket_left_by_a_dead_worker_is_replaced(home):
    path = home / "worker.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with Server(path):
        assert path.exists()


def test_a_second_worker_on_the_same_socket_is_refused(listening):
    with pytest.raises(SlipwayError, match=r"Expected no worker at .*Stop it first"):
        Server(listening.path)


def test_a_worker_of_an_older_code_version_sends_the_node_away_and_starts_over(listening):
    listening.loaded = "the fingerprint of older code"
    seen = []

    def serve():
        try:
            listening._handle_request_noblock()
        except Stale:
            seen.append("starts over")

    thread = threading.Thread(target=serve)
    thread.start()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(listening.path))
        answer = json.loads(connection.makefile("rb").readline())
    thread.join()
    assert "the code on disk has changed" in answer["refused"]
    assert seen == ["starts over"]


def test_the_fingerprint_notices_code_and_configuration_and_nothing_else(tmp_path):
    code = tmp_path / "components"
    code.mkdir()
    (code / "a.py").write_text("one")
    first = fingerprint.fingerprint(tmp_path)
    (code / "notes.txt").write_text("no code")
    assert fingerprint.fingerprint(tmp_path) == first
    (code / "b.yaml").write_text("more")
    second = fingerprint.fingerprint(tmp_path)
    assert second != first
    (code / "a.py").write_text("other")
    assert fingerprint.fingerprint(tmp_path) != second
    Path(code / "b.yaml").unlink()
    assert fingerprint.fingerprint(tmp_path) != second
