"""Starts supervisord, and talks to it over its Unix socket."""

from __future__ import annotations

import contextlib
import http.client
import os
import subprocess
import xmlrpc.client
from pathlib import Path
from typing import Any

from supervisor.xmlrpc import Faults, SupervisorTransport, UnixStreamHTTPConnection

from contract.errors import UnavailableError
from deploy.local.settings import Stack
from deploy.local.supervision import configuration
from deploy.local.supervision.programs import MARKER
from pipelines.lineage import metadata_uri

START_TIMEOUT_S = 60
TIMEOUT_S = 10


def start_supervisord(stack: Stack) -> None:
    """Starts supervisord in the background; when this returns it answers on its socket.

    Raises:
        UnavailableError: It did not start; the message has what it printed.
    """
    started = subprocess.run(
        [str(stack.airflow_bin / "supervisord"), "--configuration", str(configuration.config_path(stack))],
        env=_own_environment(stack),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=START_TIMEOUT_S,
        check=False,
    )
    if started.returncode != 0:
        raise UnavailableError(
            f"supervisord did not start (exit code {started.returncode}): {started.stderr.strip()}\n"
            f"Its log is {configuration.log_path(stack, 'supervisord')}."
        )


def _own_environment(stack: Stack) -> dict[str, str]:
    """Returns what supervisord gets, and every program from it: no password that only some of them need."""
    kept = {name: value for name, value in os.environ.items() if name != metadata_uri.VARIABLE}
    return {**kept, MARKER: str(stack.home)}


class SupervisorClient:
    """The supervisord that listens on `path`, if one does."""

    def __init__(self, path: Path) -> None:
        self._proxy = xmlrpc.client.ServerProxy("http://localhost", transport=_Transport(path))

    def pid(self) -> int | None:
        """Returns the process id of the supervisord that answers, or None where none does."""
        try:
            return int(str(self._proxy.supervisor.getPID()))
        except (OSError, http.client.HTTPException, xmlrpc.client.Error):
            return None

    def states(self) -> dict[str, str]:
        """Returns each program's state: STARTING, RUNNING, BACKOFF, FATAL, ..."""
        answer: Any = self._proxy.supervisor.getAllProcessInfo()
        return {info["name"]: info["statename"] for info in answer}

    def start(self, name: str) -> None:
        """Starts a program without waiting for it; one that runs is left alone."""
        try:
            self._proxy.supervisor.startProcess(name, False)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode != Faults.ALREADY_STARTED:
                raise UnavailableError(f"{name} cannot be started: {fault.faultString}.") from fault

    def shut_down(self) -> None:
        """Stops every program, all at the same time, then supervisord itself. Does not wait."""
        with contextlib.suppress(OSError, http.client.HTTPException, xmlrpc.client.Error):
            # Left to itself, supervisord would stop one program after the other.
            self._proxy.supervisor.stopAllProcesses(False)
            self._proxy.supervisor.shutdown()


class _Transport(SupervisorTransport):
    """Supervisor's own, with an end to waiting: a supervisord that is stopped takes a call and never answers."""

    def __init__(self, path: Path) -> None:
        super().__init__(serverurl=f"unix://{path}")
        self._path = path
        self._get_connection = self._connect

    def _connect(self) -> UnixStreamHTTPConnection:
        connection = UnixStreamHTTPConnection("localhost")
        connection.socketfile = str(self._path)
        connection.connect()
        connection.sock.settimeout(TIMEOUT_S)
        return connection
