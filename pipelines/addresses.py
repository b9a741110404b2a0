"""Where the servers are: the stack's own, or what the environment names instead."""

import os

from pipelines.stack.settings import Stack


def tracking_uri() -> str:
    """Returns MLFLOW_TRACKING_URI, or the stack's own MLflow server."""
    return os.environ.get("MLFLOW_TRACKING_URI") or Stack.from_environment().mlflow_url


def grpc_target() -> str:
    """Returns SLIPWAY_GRPC_TARGET, `host:port`, or the stack's own model server."""
    return os.environ.get("SLIPWAY_GRPC_TARGET") or Stack.from_environment().grpc_target
