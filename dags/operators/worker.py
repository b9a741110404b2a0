"""Hands a node to the ML worker over its Unix socket, where one answers.

The worker keeps TFX and TensorFlow loaded, so a node starts at once. Closing the connection stops the node,
also when this process dies without a word.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from contract.exit_codes import UNKNOWN
from contract.worker_protocol import ACCEPT_TIMEOUT_S, SOCKET_VARIABLE, Answer, ProtocolError, Request
from dags.operators.process import LogLine, Runner, until_done


class NotTakenError(Exception):
    """The worker is not there, or sent the node away; nothing was started."""


class WorkerRunner:
    """Runs one node in the worker; see `dags.operators.process.Runner`.

    Args:
        path: Of the worker's socket.
        request: What to run.
    """

    def __init__(self, path: Path, request: Request) -> None:
        self._path = path
        self._request = request
        self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._lines = self._connection.makefile("rb")

    def run(self, log: LogLine) -> int:
        """Runs the node to its end; see `Runner.run`.

        Raises:
            NotTakenError: If the worker does not take the node.
        """
        with self._connection, self._lines:
            try:
                self._hand_over()
                log(f"The ML worker at {self._path} runs this node.")
                code = self._relay(log)
            except NotTakenError:
                raise
            except BaseException:
                # Airflow's time-out: the node is stopped, and its last words are still heard.
                until_done(self.stop)
                until_done(lambda: self._relay(log))
                raise
        if code is None:
            log("The ML worker ended before the node did; look into its log, ml-worker.log.")
        return UNKNOWN if code is None else code

    def _relay(self, log: LogLine) -> int | None:
        for answer in self._answers():
            if answer.exit_code is not None:
                return answer.exit_code
            if answer.line is not None:
                log(answer.line)
        return None

    def _answers(self) -> Iterator[Answer]:
        """What the worker says until it is gone, without a line that an exception cut off while it was read."""
        self._connection.settimeout(None)
        with suppress(OSError):
            while line := self._lines.readline():
                with suppress(ProtocolError):
                    yield Answer.decode(line)

    def stop(self) -> None:
        """Closes our side of the connection, which makes the worker end the node; see `Runner.stop`."""
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_WR)

    def _hand_over(self) -> None:
        try:
            self._connection.settimeout(ACCEPT_TIMEOUT_S)
            self._connection.connect(str(self._path))
            self._connection.sendall(self._request.encode())
            line = self._lines.readline()
            first = Answer.decode(line) if line else Answer(refused="it closed the connection")
        except (OSError, ProtocolError) as error:
            raise NotTakenError(f"no ML worker answers at {self._path} ({error})") from error
        if first.refused is not None:
            raise NotTakenError(f"the ML worker sent the node away: {first.refused}")


class PreferWorker:
    """Runs a node in the worker where one takes it, else in a process of its own, and says which.

    Args:
        worker: First choice.
        process: What works all the same, with the time that importing TFX takes.
    """

    def __init__(self, worker: WorkerRunner, process: Runner) -> None:
        self._worker, self._process = worker, process

    def run(self, log: LogLine) -> int:
        """See `Runner.run`."""
        try:
            return self._worker.run(log)
        except NotTakenError as reason:
            log(f"This node runs in a process of its own: {reason}.")
            return self._process.run(log)

    def stop(self) -> None:
        """See `Runner.stop`."""
        self._worker.stop()
        self._process.stop()


def with_worker(request: Request, process: Runner) -> Runner:
    """Puts the worker before `process` where the environment names one."""
    path = os.environ.get(SOCKET_VARIABLE)
    return PreferWorker(WorkerRunner(Path(path), request), process) if path else process
