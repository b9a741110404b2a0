"""Tells whether the stack's ports are free, before anything is started."""

from __future__ import annotations

import socket

from contract.addresses import HOST, PORTS
from contract.errors import SettingsError
from deploy.local.settings import Stack


def check_ports(stack: Stack) -> None:
    """Raises a SettingsError that names every port the stack cannot have."""
    problems = [
        f"port {number} ({port.service}) {problem}; stop what listens there or set {port.variable}"
        for port in PORTS
        if (problem := _problem(number := getattr(stack, port.field)))
    ]
    if problems:
        raise SettingsError("Each port must be free: " + ".\n".join(problems) + ".")


def _problem(number: int) -> str:
    with socket.socket() as probe:
        # Connections that just ended do not count, only who listens now.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, number))
        except PermissionError:
            return "needs more rights than you have"
        except OSError:
            return "is in use"
    return ""
