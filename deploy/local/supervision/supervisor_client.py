"""Talks to supervisord over its Unix socket: XML-RPC with the standard library."""

from __future__ import annotations

import contextlib
import http.client
import socket
import xmlrpc.client
from pathlib import Path
from typing import Any

from contract.errors import UnavailableError

TIMEOUT_S = 10
ALREADY_STARTED = 60  # supervisor.xmlrpc.Faults


class SupervisorClient:
    """The supervisord that listens on `path`, if one does."""

    def __init__(self, path: Path) -> None:
        self._proxy = xmlrpc.client.ServerProxy("http://localhost", transport=_UnixTransport(path))

    def pid(self) -> int | None:
        """The process id of the supervisord that answers, or None where none does."""
        try:
            return int(str(self._proxy.supervisor.getPID()))
        except (OSError, http.client.HTTPException, xmlrpc.client.Error):
            return None

    def states(self) -> dict[str, str]:
        """Program name to state: STARTING, RUNNING, BACKOFF, FATAL, ..."""
        answer: Any = self._proxy.supervisor.getAllProcessInfo()
        return {info["name"]: info["statename"] for info in answer}

    def start(self, name: str) -> None:
        """Starts a program without waiting for it; one that runs is left alone."""
        try:
            self._proxy.supervisor.startProcess(name, False)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode != ALREADY_STARTED:
                raise UnavailableError(f"{name} cannot be started: {fault.faultString}.") from fault

    def shut_down(self) -> None:
        """Stops every program, all at the same time, then supervisord itself. Does not wait."""
        with contextlib.suppress(OSError, http.client.HTTPException, xmlrpc.client.Error):
            # Left to itself, supervisord would stop one program after the other.
            self._proxy.supervisor.stopAllProcesses(False)
            self._proxy.supervisor.shutdown()


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class _UnixTransport(xmlrpc.client.Transport):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: object) -> _UnixConnection:
        return _UnixConnection(self._path)
