"""A real model server of its own for one candidate: private folder, free ports, gone with the node at the latest."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import tenacity

from contract import model_server
from serving.client import Client
from serving.errors import ReleaseError, ServerUnavailableError

STOP_TIMEOUT_S = 10.0
POLL_S = 0.1

# The server lies in a session of its own: without this it would outlive a node that is killed.
BOUND = (sys.executable, "-IS", str(Path(__file__).with_name("bound.py")))


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _stop(process: subprocess.Popen) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is None:
            os.killpg(process.pid, number)
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                continue


class StartingServer:
    """A model server that has been started and may not answer yet.

    Args:
        client: A connection to it.
        model: Name that it serves the candidate under, as version 1.
        process: The server.
        log: What it writes.
    """

    def __init__(self, client: Client, model: str, process: subprocess.Popen, log: Path) -> None:
        self._client, self._model, self._process, self._log = client, model, process, log

    def available(self, timeout_s: float) -> Client:
        """Waits until the candidate is AVAILABLE; returns the connection.

        Args:
            timeout_s: How long starting and loading may still take.

        Raises:
            ReleaseError: If the server stops, cannot load the candidate, or takes too long.
        """
        polling = tenacity.Retrying(
            retry=tenacity.retry_if_result(lambda is_available: not is_available),
            stop=tenacity.stop_after_delay(timeout_s),
            wait=tenacity.wait_fixed(POLL_S),
        )
        try:
            polling(self._is_available)
        except tenacity.RetryError as error:
            raise ReleaseError(
                f"the server did not have it AVAILABLE within {timeout_s:.0f} s:\n{self._last_lines()}"
            ) from error
        return self._client

    def _is_available(self) -> bool:
        if self._process.poll() is not None:
            code = self._process.returncode
            raise ReleaseError(f"the server stopped with exit code {code}:\n{self._last_lines()}")
        try:
            found = self._client.versions(self._model).get(1)
        except ServerUnavailableError:
            return False  # it is still starting
        if found and found.state == "END":
            raise ReleaseError(f"the server could not load it: {found.error}")
        return bool(found and found.state == "AVAILABLE")

    def _last_lines(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-5:])


@contextmanager
def serving(model: str, saved_model_dir: Path, command: Sequence[str]) -> Iterator[StartingServer]:
    """Starts a model server on loopback with `saved_model_dir` as version 1; stops it afterwards.

    Args:
        model: Name to serve it under.
        saved_model_dir: The candidate.
        command: Program and first arguments of the model server; ports and model are appended as flags.
    """
    grpc_port, rest_port = _free_ports(2)
    with tempfile.TemporaryDirectory(prefix="slipway-infra-") as folder:
        base = Path(folder) / model
        base.mkdir()
        (base / "1").symlink_to(saved_model_dir.resolve())
        log = Path(folder) / "server.log"
        served = (f"--model_name={model}", f"--model_base_path={base}")
        with log.open("w") as output:
            process = subprocess.Popen(
                [*BOUND, str(os.getpid()), *command, *model_server.flags(grpc_port, rest_port), *served],
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            with Client(f"127.0.0.1:{grpc_port}") as client:
                yield StartingServer(client, model, process, log)
        finally:
            _stop(process)
