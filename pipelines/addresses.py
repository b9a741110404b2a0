"""Where the servers are: the stack's own, or what the environment names instead."""

import os
from collections.abc import Mapping

from pipelines.stack.settings import HOST, Stack


def tracking_uri() -> str:
    """Returns MLFLOW_TRACKING_URI, or the stack's own MLflow server."""
    return os.environ.get("MLFLOW_TRACKING_URI") or Stack.from_environment().mlflow_url


def grpc_target() -> str:
    """Returns SLIPWAY_GRPC_TARGET, `host:port`, or the stack's own model server."""
    return os.environ.get("SLIPWAY_GRPC_TARGET") or Stack.from_environment().grpc_target


def no_proxy(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Returns the variables that keep a company's proxy, and so what it logs, out of talk on this machine."""
    # Programs read one of the two, or prefer the small one: both name everything.
    named = ",".join(environment.get(name, "") for name in ("NO_PROXY", "no_proxy"))
    hosts = [host.strip() for host in named.split(",") if host.strip()]
    return dict.fromkeys(("NO_PROXY", "no_proxy"), ",".join(dict.fromkeys([*hosts, HOST, "localhost"])))
