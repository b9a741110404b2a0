"""Ports for a stack beside a person's own. Standard library only."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import ExitStack


def free() -> Mapping[str, str]:
    """Returns ports that nobody listens on, by the variables that choose them."""
    names = [f"SLIPWAY_{service}_PORT" for service in ("AIRFLOW", "MLFLOW", "GRPC", "REST")]
    with ExitStack() as held:
        sockets = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in names]
        return {name: str(each.getsockname()[1]) for name, each in zip(names, sockets, strict=True)}
