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

from dags.operators.process import Runner, Say

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

    def run(self, say: Say) -> int:
        """Runs the node to its end; see `Runner.run`.

        Raises:
            NotTakenError: If the worker does not take the node.
        """
        with self._connection:
            answers = self._ask()
            say(f"The ML worker at {self._path} runs this node.")
            try:
                return self._relay(answers, say)
            except BaseException:
                # Airflow's time-out: the node is stopped, and its last words are still heard.
                self.stop()
                self._relay(answers, say)
                raise

    @staticmethod
    def _relay(answers: Iterator[dict[str, Any]], say: Say) -> int:
        for answer in answers:
            if "exit_code" in answer:
                return int(answer["exit_code"])
            say(str(answer.get("line", "")))
        say("The ML worker ended before the node did; look into its log, ml-worker.log.")
        return 1

    def stop(self) -> None:
        """Closes our side of the connection, which makes the worker end the node; see `Runner.stop`."""
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_WR)

    def _ask(self) -> Iterator[dict[str, Any]]:
        try:
            self._connection.settimeout(ACCEPT_TIMEOUT_S)
            self._connection.connect(str(self._path))
            self._connection.sendall(json.dumps(self._request).encode() + b"\n")
            answers = (json.loads(line) for line in self._connection.makefile("rb"))
            first = next(answers, {"refused": "it closed the connection"})
            self._connection.settimeout(None)
        except (OSError, ValueError) as error:
            raise NotTakenError(f"no ML worker answers at {self._path} ({error})") from error
        if "refused" in first:
            raise NotTakenError(f"the ML worker sent the node away: {first['refused']}")
        return answers


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
