"""A real model server of its own for one candidate: private folder, free ports, gone afterwards."""

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from serving.client import Client
from serving.errors import ReleaseError, ServerUnavailableError

STOP_TIMEOUT_S = 10.0
POLL_S = 0.1


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


def _last_lines(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-5:])


def _wait_available(
    client: Client, model: str, process: subprocess.Popen, log: Path, timeout_s: float
) -> None:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ReleaseError(f"the server stopped with exit code {process.returncode}:\n{_last_lines(log)}")
        try:
            found = client.versions(model).get(1)
        except ServerUnavailableError:
            found = None  # it is still starting
        if found and found.state == "AVAILABLE":
            return
        if found and found.state == "END":
            raise ReleaseError(f"the server could not load it: {found.error}")
        time.sleep(POLL_S)
    raise ReleaseError(f"the server did not have it AVAILABLE within {timeout_s:.0f} s:\n{_last_lines(log)}")


@contextmanager
def serving(
    model: str, saved_model_dir: Path, command: Sequence[str], *, timeout_s: float
) -> Iterator[Client]:
    """Starts a model server on loopback with `saved_model_dir` as version 1 and yields a connection to it.

    Args:
        model: Name to serve it under.
        saved_model_dir: The candidate.
        command: Program and first arguments of the model server; ports and model are appended as flags.
        timeout_s: How long starting and loading may take.

    Raises:
        ReleaseError: If the server stops, cannot load the candidate, or takes too long.
    """
    grpc_port, rest_port = _free_ports(2)
    with tempfile.TemporaryDirectory(prefix="slipway-infra-") as folder:
        base = Path(folder) / model
        base.mkdir()
        (base / "1").symlink_to(saved_model_dir.resolve())
        log = Path(folder) / "server.log"
        flags = [
            f"--port={grpc_port}",
            f"--rest_api_port={rest_port}",
            f"--model_name={model}",
            f"--model_base_path={base}",
            "--max_num_load_retries=0",
        ]
        with log.open("w") as output:
            process = subprocess.Popen(
                [*command, *flags], stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
        try:
            with Client(f"127.0.0.1:{grpc_port}") as client:
                _wait_available(client, model, process, log, timeout_s)
                yield client
        finally:
            _stop(process)
