"""How a process of the ML side is set up: how TensorFlow behaves, what is logged, what crosses from Airflow.

Standard library only.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path

from contract.errors import SettingsError
from contract.state import HOME_VARIABLE, home_of, in_project

MANIFESTS_VARIABLE = "SLIPWAY_MANIFESTS"
CONFIGS_VARIABLE = "SLIPWAY_CONFIGS"
ML_PYTHON_VARIABLE = "SLIPWAY_ML_PYTHON"

QUIET = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "GLOG_minloglevel": "2",  # ML Metadata tells of each connection
}
LEGACY_KERAS = {"TF_USE_LEGACY_KERAS": "1"}  # TFMOT and TFMA work with Keras 2 alone
WITHOUT_GPU = {"CUDA_VISIBLE_DEVICES": "-1"}

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

OUR_PACKAGES = ("components", "contract", "pipelines", "serving")  # what a node may run


def for_tensorflow(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Returns the variables that TensorFlow is imported under. Of what is logged, the environment's word wins."""
    return {name: environment.get(name, value) for name, value in QUIET.items()} | LEGACY_KERAS


def configure_logs() -> None:
    """Sends our own lines to stdout and keeps TFX's protocol buffers and others' deprecations out of the log."""
    logging.basicConfig(
        stream=sys.stdout, format="%(asctime)s %(levelname)s %(message)s", datefmt="%H:%M:%S", force=True
    )
    for package in OUR_PACKAGES:
        logging.getLogger(package).setLevel(logging.INFO)
    logging.getLogger("absl").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=FutureWarning)
    warnings.filterwarnings("ignore", category=DeprecationWarning)


def of_ml_process(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Picks what crosses from Airflow into the ML environment; everything not named here stays behind.

    Raises:
        SettingsError: If the folder of all state cannot be used.
    """
    passed = {
        name: value
        for name, value in environment.items()
        if name in PASSED_NAMES or name.startswith(PASSED_PREFIXES)
    }
    home = {HOME_VARIABLE: str(home_of(environment))}
    unbuffered = {"PYTHONUNBUFFERED": "1"}  # the task log shows each line as it is written
    return passed | for_tensorflow(environment) | unbuffered | home


def manifests_dir(environment: Mapping[str, str] = os.environ) -> Path:
    """Returns the folder of the compiled manifests: `SLIPWAY_MANIFESTS`, or the committed ones."""
    return in_project(MANIFESTS_VARIABLE, "pipelines/manifests", environment)


def configs_dir(environment: Mapping[str, str] = os.environ) -> Path:
    """Returns the folder of the configurations: `SLIPWAY_CONFIGS`, or the committed ones."""
    return in_project(CONFIGS_VARIABLE, "pipelines/configs", environment)


def ml_python(environment: Mapping[str, str] = os.environ) -> Path:
    """Returns the interpreter of the ML environment: `SLIPWAY_ML_PYTHON`, or the one that `make setup` makes.

    Raises:
        SettingsError: If there is no such executable.
    """
    python = in_project(ML_PYTHON_VARIABLE, ".venv/ml/bin/python", environment)
    if not os.access(python, os.X_OK):
        raise SettingsError(
            f"The Python of the ML environment should be at {python}, and nothing executable is there. "
            f"Run `make setup`, or set {ML_PYTHON_VARIABLE} to a Python that has the ML packages."
        )
    return python
