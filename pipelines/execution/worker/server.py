"""Listens on a private Unix socket and forks a session for each connection. Runs no TensorFlow op itself."""

import logging
import os
import socket
import socketserver
import sys
from pathlib import Path
from typing import Any, NoReturn

from contract import environment
from contract.errors import SlipwayError
from contract.run_folder import RunFolder
from contract.worker_protocol import LONGEST_REQUEST, REQUEST_TIMEOUT_S, Answer, Request
from pipelines.execution.worker.fingerprint import fingerprint
from pipelines.execution.worker.session import Session, send

logger = logging.getLogger(__name__)


class Stale(Exception):
    """The code on disk is not the code in memory."""


def _request(connection: socket.socket) -> Request:
    """Reads and checks one request.

    Raises:
        SlipwayError: If it asks for no node of a run that has a folder.
    """
    connection.settimeout(REQUEST_TIMEOUT_S)
    line = connection.makefile("rb").readline(LONGEST_REQUEST)
    connection.settimeout(None)
    request = Request.decode(line)
    if not RunFolder.here(request.pipeline, request.run_id).path.is_dir():
        raise SlipwayError(f"Expected a run of {request.pipeline}, got {request.run_id!r}: it has no folder.")
    return request


class _Handler(socketserver.BaseRequestHandler):
    """Serves one connection, in a process forked for it."""

    def handle(self) -> None:
        try:
            request = _request(self.request)
        except (SlipwayError, OSError) as error:
            send(self.request, Answer(refused=str(error)))
            return
        send(self.request, Answer(accepted=True))
        Session(self.request, lambda: _run(request)).run()


def _run(request: Request) -> int:
    from pipelines.execution import node

    environment.configure_logs()
    return node.run(request.pipeline, request.run_id, request.node)


class Server(socketserver.ForkingMixIn, socketserver.UnixStreamServer):
    """The worker's socket.

    Args:
        path: Of the socket; a leftover of a dead worker is replaced.

    Raises:
        SlipwayError: If a living worker listens there.
    """

    max_children = 64
    block_on_close = True

    def __init__(self, path: Path) -> None:
        self.path = path
        self.loaded = fingerprint()
        _remove_leftover(path)
        before = os.umask(0o177)  # the socket is born readable by its owner alone
        try:
            super().__init__(str(path), _Handler)
        finally:
            os.umask(before)

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Turns a client away when the code has changed since it was loaded, and starts over."""
        if fingerprint() != self.loaded:
            send(request, Answer(refused="the code on disk has changed; the worker is loading it anew"))
            raise Stale
        return True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Logs what went wrong with one connection; the others go on."""
        logger.exception("A connection ended with an error")

    def _handle_request_noblock(self) -> None:
        # The base class swallows every exception here; this one must reach the main loop.
        request, address = self.get_request()
        try:
            if self.verify_request(request, address):
                self.process_request(request, address)
        except Stale:
            self.shutdown_request(request)
            raise
        except Exception:
            self.handle_error(request, address)
            self.shutdown_request(request)


def _remove_leftover(path: Path) -> None:
    if not path.exists():
        return
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            path.unlink()
            return
    raise SlipwayError(f"Expected no worker at {path}, and one answers. Stop it first, with `make down`.")


def start_over(server: Server) -> NoReturn:
    """Replaces this process by a fresh one that loads the code as it is now; running nodes go on."""
    server.path.unlink(missing_ok=True)
    server.socket.close()
    logger.info("The code has changed; loading it anew")
    os.execv(sys.executable, [sys.executable, "-m", "pipelines.execution.worker"])  # noqa: S606  no shell is wanted
