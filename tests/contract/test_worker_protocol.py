import socket
import threading

import pytest

from contract import worker_protocol
from contract.worker_protocol import Answer, ProtocolError, Request


def test_a_request_comes_over_as_it_was_sent():
    request = Request("digits", "a-run", "train")

    assert request.encode().endswith(b"\n")
    assert Request.decode(request.encode()) == request


@pytest.mark.parametrize(
    "answer", [Answer(accepted=True), Answer(refused="why"), Answer(line=""), Answer(exit_code=0)]
)
def test_an_answer_comes_over_as_it_was_sent(answer):
    assert Answer.decode(answer.encode()) == answer


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"", "Expected one JSON object on a line, got b''"),
        (b"not json\n", "Expected one JSON object on a line, got b'not json"),
        (b"[1]\n", r"Expected one JSON object on a line, got \[1\]"),
        (b'{"pipeline": "digits"}\n', "Expected exactly the fields pipeline, run_id, node"),
        (b'{"pipeline": "digits", "run_id": "r", "node": 3}\n', "Expected text in every field"),
        (b'{"pipeline": "digits", "run_id": "r", "node": ""}\n', "Expected text in every field"),
    ],
)
def test_a_line_that_asks_for_no_node_is_refused(line, message):
    with pytest.raises(ProtocolError, match=message):
        Request.decode(line)


@pytest.mark.parametrize("line", [b"{}\n", b'{"lines": "x"}\n', b'{"line": "x", "exit_code": 0}\n', b'{"li'])
def test_a_line_that_answers_nothing_is_refused(line):
    with pytest.raises(ProtocolError):
        Answer.decode(line)


@pytest.fixture
def listening(tmp_path):
    """Answers one request with `line`; returns the path of the socket."""
    threads = []

    def listen(line):
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(tmp_path / "worker.sock"))
        server.listen()

        def serve():
            connection, _ = server.accept()
            with server, connection, connection.makefile("rb") as requests:
                requests.readline()
                connection.sendall(line)

        threads.append(threading.Thread(target=serve))
        threads[0].start()
        return tmp_path / "worker.sock"

    yield listen
    for thread in threads:
        thread.join()


def test_a_worker_that_refuses_a_request_without_a_node_works(listening):
    worker_protocol.check(listening(Answer(refused="no node").encode()), 20)


@pytest.mark.parametrize("line", [b"", b"hello\n", Answer(accepted=True).encode()])
def test_a_worker_that_answers_otherwise_does_not_work(listening, line):
    with pytest.raises(ConnectionError):
        worker_protocol.check(listening(line), 20)


def test_a_worker_that_is_not_there_does_not_work(tmp_path):
    with pytest.raises(FileNotFoundError):
        worker_protocol.check(tmp_path / "worker.sock", 20)
