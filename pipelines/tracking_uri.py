"""Where MLflow is."""

import os

from pipelines.stack.settings import Stack


def tracking_uri() -> str:
    """Returns MLFLOW_TRACKING_URI, or the stack's own MLflow server."""
    return os.environ.get("MLFLOW_TRACKING_URI") or Stack.from_environment().mlflow_url
