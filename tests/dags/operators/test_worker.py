import json
import signal
import socket
import threading
from dataclasses import asdict

import pytest

from contract.worker_protocol import Request
from dags.operators.worker import NotTakenError, PreferWorker, WorkerRunner, with_worker

REQUEST = Request("tiny", "a-run", "train")


class Worker:
    """The other end: takes one connection, keeps the request, answers what it is told to."""

    def __init__(self, path, answers, then=None):
        self.request, self.left = None, threading.Event()
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(path))
        self._listening.listen()
        self._thread = threading.Thread(target=self._serve, args=(answers, then))
        self._thread.start()

    def _serve(self, answers, then):
        connection, _ = self._listening.accept()
        with connection, connection.makefile("rb") as reading:
            self.request = json.loads(reading.readline())
            for answer in answers:
                connection.sendall(json.dumps(answer).encode() + b"\n")
            if then is not None:
                assert reading.readline() == b""  # the client has closed its side
                self.left.set()
                connection.sendall(json.dumps(then).encode() + b"\n")

    def join(self):
        self._thread.join(20)
        self._listening.close()


class Process:
    """Stands where a process of its own would be started."""

    stopped = False

    def run(self, say):
        say("a process of its own")
        return 3

    def stop(self):
        self.stopped = True


@pytest.fixture
def path(tmp_path):
    return tmp_path / "worker.sock"


def test_the_worker_gets_the_node_and_its_lines_and_exit_code_come_back(path):
    worker = Worker(path, [{"accepted": True}, {"line": "epoch 1"}, {"exit_code": 99}])
    lines = []
    assert WorkerRunner(path, REQUEST).run(lines.append) == 99
    worker.join()
    assert worker.request == asdict(REQUEST)
    assert lines == [f"The ML worker at {path} runs this node.", "epoch 1"]


def test_without_a_worker_a_process_runs_the_node_and_the_log_says_why(path):
    lines = []
    assert PreferWorker(WorkerRunner(path, REQUEST), Process()).run(lines.append) == 3
    assert "no ML worker answers" in lines[0]
    assert lines[1] == "a process of its own"


def test_a_worker_that_sends_the_node_away_is_named_in_the_log(path):
    worker = Worker(path, [{"refused": "the code on disk has changed"}])
    lines = []
    assert PreferWorker(WorkerRunner(path, REQUEST), Process()).run(lines.append) == 3
    worker.join()
    assert "the code on disk has changed" in lines[0]


def test_a_worker_that_dies_in_the_middle_is_a_failure_that_may_be_tried_again(path):
    worker = Worker(path, [{"accepted": True}, {"line": "epoch 1"}])
    lines = []
    assert WorkerRunner(path, REQUEST).run(lines.append) == 1
    worker.join()
    assert "The ML worker ended before the node did" in lines[-1]


def test_a_time_out_stops_the_node_waits_for_its_end_and_is_still_a_time_out(path):
    worker = Worker(path, [{"accepted": True}, {"line": "epoch 1"}], then={"exit_code": 143})

    def say(line):
        if line == "epoch 1":
            raise TimeoutError

    with pytest.raises(TimeoutError):
        WorkerRunner(path, REQUEST).run(say)
    worker.join()
    assert worker.left.is_set()


class TooLateError(BaseException):
    """What Airflow's time-out raises is no `Exception` either."""


@pytest.fixture
def alarm(monkeypatch):
    """Interrupts the main thread wherever it is, as Airflow's time-out does."""

    def raise_too_late(number, frame):
        raise TooLateError

    before = signal.signal(signal.SIGALRM, raise_too_late)
    yield lambda: signal.pthread_kill(threading.main_thread().ident, signal.SIGALRM)
    signal.signal(signal.SIGALRM, before)


class InterruptingWorker(Worker):
    """A worker whose client is interrupted while it waits: first in the middle of a line, then for the end."""

    def __init__(self, path, alarm, accepts):
        self.alarm, self.interrupted, self.ended = alarm, threading.Event(), False
        super().__init__(path, [{"accepted": True}] if accepts else [], then={"exit_code": 143})

    def _serve(self, answers, then):
        connection, _ = self._listening.accept()
        with connection, connection.makefile("rb") as reading:
            reading.readline()
            for answer in answers:
                connection.sendall(json.dumps(answer).encode() + b"\n")
            connection.sendall(b'{"li' if answers else b"")
            self.alarm()
            assert reading.readline() == b""  # the client has closed its side
            connection.sendall(b'ne": "half"}\n{"line": "bye"}\n')
            self.interrupted.wait(20)
            self.ended = True
            connection.sendall(json.dumps(then).encode() + b"\n")


@pytest.mark.parametrize("accepts", [True, False])
def test_neither_a_time_out_nor_a_signal_after_it_lets_the_task_leave_before_the_node(path, alarm, accepts):
    worker = InterruptingWorker(path, alarm, accepts)
    lines = []

    def say(line):
        lines.append(line)
        if line == "bye":
            worker.interrupted.set()
            raise KeyboardInterrupt

    with pytest.raises(TooLateError):
        WorkerRunner(path, REQUEST).run(say)
    assert worker.ended
    assert lines[-1] == "bye"
    worker.join()


def test_stopping_reaches_the_worker_and_the_process(path):
    worker = Worker(path, [{"accepted": True}], then={"exit_code": 143})
    process, started = Process(), threading.Event()
    runner = PreferWorker(WorkerRunner(path, REQUEST), process)
    codes = []
    thread = threading.Thread(target=lambda: codes.append(runner.run(lambda line: started.set())))
    thread.start()
    assert started.wait(20)
    runner.stop()
    thread.join(20)
    worker.join()
    assert codes == [143]
    assert process.stopped


def test_nothing_listens_means_nothing_was_started(path):
    with pytest.raises(NotTakenError, match="no ML worker answers"):
        WorkerRunner(path, REQUEST).run(print)


def test_the_worker_is_asked_only_where_the_environment_names_one(path, monkeypatch):
    process = Process()
    monkeypatch.delenv("SLIPWAY_WORKER_SOCKET", raising=False)
    assert with_worker(REQUEST, process) is process
    monkeypatch.setenv("SLIPWAY_WORKER_SOCKET", str(path))
    assert isinstance(with_worker(REQUEST, process), PreferWorker)
