"""How a node is handed to the ML worker: one connection to its Unix socket, one line there, lines back.

A request names a pipeline, a run and a node. The answers are first `accepted` or `refused`, then a `line` for each
line of the node's output, last its `exit_code`; each is a JSON object with one field. Closing the connection stops
the node. Standard library only.
"""

from __future__ import annotations

import json
import socket
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from contract.errors import SlipwayError

SOCKET_VARIABLE = "SLIPWAY_WORKER_SOCKET"

ACCEPT_TIMEOUT_S = 90.0  # a worker that is still loading takes the connection and answers when it is done
REQUEST_TIMEOUT_S = 10.0
GRACE_S = 10.0  # between asking a node to stop and killing it, whoever runs it

LONGEST_REQUEST = 4096


class ProtocolError(SlipwayError, ValueError):
    """A line is not what this protocol has there."""


@dataclass(frozen=True)
class Request:
    """Which node to run."""

    pipeline: str
    run_id: str
    node: str

    def encode(self) -> bytes:
        """Returns the line that asks for it."""
        return _line(asdict(self))

    @classmethod
    def decode(cls, line: bytes) -> Request:
        """Reads a line.

        Raises:
            ProtocolError: If it is anything but a pipeline, a run and a node, all of them text.
        """
        found, names = _object(line), [field.name for field in fields(cls)]
        if set(found) != set(names):
            raise ProtocolError(f"Expected exactly the fields {', '.join(names)}, got {found!r}.")
        if not all(isinstance(value, str) and value for value in found.values()):
            raise ProtocolError(f"Expected text in every field, got {found!r}.")
        return cls(**found)


@dataclass(frozen=True)
class Answer:
    """One line from the worker; exactly one field is set.

    Attributes:
        accepted: Whether the node is going to run.
        refused: Why it is not.
        line: A line of its output.
        exit_code: How it ended; negative for the signal that ended it.
    """

    accepted: bool | None = None
    refused: str | None = None
    line: str | None = None
    exit_code: int | None = None

    def encode(self) -> bytes:
        """Returns the line that says it."""
        return _line({name: value for name, value in asdict(self).items() if value is not None})

    @classmethod
    def decode(cls, line: bytes) -> Answer:
        """Reads a line.

        Raises:
            ProtocolError: If it is no answer.
        """
        found = _object(line)
        if len(found) != 1 or not set(found) <= {field.name for field in fields(cls)}:
            raise ProtocolError(f"Expected one of accepted, refused, line and exit_code, got {found!r}.")
        return cls(**found)


def check(path: Path, timeout_s: float) -> None:
    """Asks the worker for no node: one that has loaded what nodes need refuses it.

    Args:
        path: Of its socket.
        timeout_s: How long it may take to answer; it says nothing at all while it loads.

    Raises:
        OSError: If nothing listens there, or it does not answer in time, or otherwise.
    """
    with socket.socket(socket.AF_UNIX) as connection, connection.makefile("rb") as answers:
        connection.settimeout(timeout_s)
        connection.connect(str(path))
        connection.sendall(_line({}))
        try:
            answer = Answer.decode(answers.readline())
        except ProtocolError as error:
            raise ConnectionError(str(error)) from error
    if answer.refused is None:
        raise ConnectionError(f"expected the worker to refuse a request without a node, got {answer}")


def _line(message: object) -> bytes:
    return json.dumps(message).encode() + b"\n"


def _object(line: bytes) -> dict:
    try:
        found = json.loads(line)
    except ValueError as error:
        raise ProtocolError(f"Expected one JSON object on a line, got {line[:100]!r}.") from error
    if not isinstance(found, dict):
        raise ProtocolError(f"Expected one JSON object on a line, got {found!r}.")
    return found
