"""Hands a node to the ML worker over its Unix socket, where one answers.

The worker keeps TFX and TensorFlow loaded, so a node starts at once. Closing the connection stops the node,
also when this process dies without a word.
"""

import json
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from dags.operators.process import Runner, Say, until_done

SOCKET_VARIABLE = "SLIPWAY_WORKER_SOCKET"
ACCEPT_TIMEOUT_S = 90.0  # a worker that is still loading takes the connection and answers when it is done


class NotTakenError(Exception):
    """The worker is not there, or sent the node away; nothing was started."""


class WorkerRunner:
    """Runs one node in the worker; see `dags.operators.process.Runner`.

    Args:
        path: Of the worker's socket.
        request: What to run: `pipeline`, `run_id` and `node`.
    """

    def __init__(self, path: Path, request: Mapping[str, str]) -> None:
        self._path = path
        self._request = dict(request)
        self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._lines = self._connection.makefile("rb")

    def run(self, say: Say) -> int:
        """Runs the node to its end; see `Runner.run`.

        Raises:
            NotTakenError: If the worker does not take the node.
        """
        with self._connection, self._lines:
            try:
                self._ask()
                say(f"The ML worker at {self._path} runs this node.")
                code = self._relay(say)
            except NotTakenError:
                raise
            except BaseException:
                # Airflow's time-out: the node is stopped, and its last words are still heard.
                until_done(self.stop)
                until_done(lambda: self._relay(say))
                raise
        if code is None:
            say("The ML worker ended before the node did; look into its log, ml-worker.log.")
        return 1 if code is None else code

    def _relay(self, say: Say) -> int | None:
        for answer in self._answers():
            if "exit_code" in answer:
                return int(answer["exit_code"])
            if "line" in answer:
                say(str(answer["line"]))
        return None

    def _answers(self) -> Iterator[dict[str, Any]]:
        """What the worker says until it is gone, without a line that an exception cut off while it was read."""
        self._connection.settimeout(None)
        with suppress(OSError):
            while line := self._lines.readline():
                with suppress(ValueError):
                    yield json.loads(line)

    def stop(self) -> None:
        """Closes our side of the connection, which makes the worker end the node; see `Runner.stop`."""
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_WR)

    def _ask(self) -> None:
        try:
            self._connection.settimeout(ACCEPT_TIMEOUT_S)
            self._connection.connect(str(self._path))
            self._connection.sendall(json.dumps(self._request).encode() + b"\n")
            first = json.loads(self._lines.readline() or b'{"refused": "it closed the connection"}')
        except (OSError, ValueError) as error:
            raise NotTakenError(f"no ML worker answers at {self._path} ({error})") from error
        if "refused" in first:
            raise NotTakenError(f"the ML worker sent the node away: {first['refused']}")


class PreferWorker:
    """Runs a node in the worker where one takes it, else in a process of its own, and says which.

    Args:
        worker: First choice.
        process: What works all the same, with the time that importing TFX takes.
    """

    def __init__(self, worker: WorkerRunner, process: Runner) -> None:
        self._worker, self._process = worker, process

    def run(self, say: Say) -> int:
        """See `Runner.run`."""
        try:
            return self._worker.run(say)
        except NotTakenError as reason:
            say(f"This node runs in a process of its own: {reason}.")
            return self._process.run(say)

    def stop(self) -> None:
        """See `Runner.stop`."""
        self._worker.stop()
        self._process.stop()


def with_worker(request: Mapping[str, str], process: Runner) -> Runner:
    """Puts the worker before `process` where the environment names one."""
    path = os.environ.get(SOCKET_VARIABLE)
    return PreferWorker(WorkerRunner(Path(path), request), process) if path else process
