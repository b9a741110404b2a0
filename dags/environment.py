"""Where the project and its state lie, and what the ML side sees of Airflow's environment.

Reads environment variables and paths only; knows nothing of Airflow.
"""

import os
from collections.abc import Mapping
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]

PASSED_NAMES = frozenset(
    {
        "PATH",
        "HOME",
        "LANG",
        "TMPDIR",
        "TZ",
        "LD_LIBRARY_PATH",
        "MLFLOW_TRACKING_URI",
        "MLFLOW_TRACKING_USERNAME",
        "MLFLOW_TRACKING_PASSWORD",
        "MLFLOW_TRACKING_TOKEN",
        "MLFLOW_TRACKING_INSECURE_TLS",
        "MLFLOW_TRACKING_SERVER_CERT_PATH",
        "MLFLOW_TRACKING_CLIENT_CERT_PATH",
        "SSL_CERT_FILE",
        "REQUESTS_CA_BUNDLE",
    }
)
PASSED_PREFIXES = ("LC_", "SLIPWAY_", "CUDA_", "NVIDIA_", "TF_")
FIXED = {
    "PYTHONUNBUFFERED": "1",  # the task log shows each line as it is written
    "TF_USE_LEGACY_KERAS": "1",  # must be there before TensorFlow is imported
    "TF_CPP_MIN_LOG_LEVEL": "3",
}


class SetupError(Exception):
    """Something that `make setup` or the environment should provide is missing."""


def child_environment(source: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Picks what crosses into the ML environment; everything not named here stays behind."""
    passed = {
        name: value
        for name, value in source.items()
        if name in PASSED_NAMES or name.startswith(PASSED_PREFIXES)
    }
    return passed | FIXED | {"SLIPWAY_HOME": str(home())}


def home() -> Path:
    """The folder of all state: `SLIPWAY_HOME`, or `var` in the project."""
    return PROJECT / os.environ.get("SLIPWAY_HOME", "var")


def manifests_folder() -> Path:
    """The folder of the compiled manifests: `SLIPWAY_MANIFESTS`, or the committed ones."""
    return PROJECT / os.environ.get("SLIPWAY_MANIFESTS", "pipelines/manifests")


def ml_python() -> Path:
    """The interpreter of the ML environment: `SLIPWAY_ML_PYTHON`, or the one that `make setup` makes.

    Raises:
        SetupError: If there is no such executable.
    """
    python = PROJECT / os.environ.get("SLIPWAY_ML_PYTHON", ".venv/ml/bin/python")
    if not os.access(python, os.X_OK):
        raise SetupError(
            f"The Python of the ML environment should be at {python}, and nothing executable is there. "
            "Run `make setup`, or set SLIPWAY_ML_PYTHON to a Python that has the ML packages."
        )
    return python
