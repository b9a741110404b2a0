"""The programs of the stack: what runs, with which arguments and environment. Starts nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from contract import model_server
from contract.addresses import HOST, no_proxy
from deploy.local.airflow.environment import airflow_environment
from deploy.local.credentials import Credentials
from deploy.local.settings import Stack
from pipelines.lineage import metadata_uri

# In the environment of every process of the stack, and of what those start: `down` finds them by it.
MARKER = "SLIPWAY_STACK"


class Start(Enum):
    """What a program waits for before it starts."""

    AT_ONCE = "nothing"
    WITH_DATABASE = "the tables in Airflow's database"
    WITH_API = "Airflow's API"


@dataclass(frozen=True)
class Program:
    """One supervised program.

    Attributes:
        name: As in `supervisorctl status`, and of its log file.
        command: Program and arguments. Other users of the machine can read them: no secrets here.
        environment: What it gets beyond the shared variables.
        start: What has to be there before it starts.
        stop_wait_s: How long it may take to stop before it is killed, in seconds.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    start: Start = Start.AT_ONCE
    stop_wait_s: int = 10


def programs(stack: Stack, credentials: Credentials) -> list[Program]:
    """Returns all programs; the ones that take longest to come up stand first."""
    return [
        *_airflow(stack, credentials),
        _mlflow(stack),
        _model_server(stack),
        _ml_worker(stack),
    ]


def shared_environment(stack: Stack) -> dict[str, str]:
    """Returns what every program of the stack gets."""
    return {
        **stack.environment(),
        MARKER: str(stack.home),
        "PYTHONPATH": str(stack.project),
        **no_proxy(),
    }


def metadata_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Names the database of ML Metadata, for the programs that run nodes; empty where none is named.

    Raises:
        SettingsError: If the name is malformed: better now than in the first run.
    """
    database = metadata_uri.from_environment(environment)
    return {metadata_uri.VARIABLE: environment[metadata_uri.VARIABLE]} if database else {}


def _airflow(stack: Stack, credentials: Credentials) -> list[Program]:
    airflow = str(stack.airflow_bin / "airflow")
    environment = airflow_environment(stack, credentials)
    runs_nodes = {**environment, **metadata_environment()}
    # Else both serve logs on ports 8793 and 8794 of every interface; here the API reads the files.
    quiet = "--skip-serve-logs"
    return [
        Program("airflow-api-server", (airflow, "api-server"), environment, Start.WITH_DATABASE),
        Program("airflow-dag-processor", (airflow, "dag-processor"), environment, Start.WITH_DATABASE),
        # With a trigger running it waits 10 s for nothing: what triggers keep lies in Airflow's database.
        Program("airflow-triggerer", (airflow, "triggerer", quiet), environment, Start.WITH_DATABASE, 2),
        # It goes on with the runs of before at once, and a task that finds no API fails.
        Program("airflow-scheduler", (airflow, "scheduler", quiet), runs_nodes, Start.WITH_API),
    ]


def _mlflow(stack: Stack) -> Program:
    command = (
        *(str(stack.ml_python), "-m", "mlflow", "server"),
        *("--backend-store-uri", f"sqlite:///{stack.mlflow}/mlflow.db"),
        *("--artifacts-destination", str(stack.mlflow / "artifacts")),
        *("--host", HOST, "--port", str(stack.mlflow_port), "--workers", "1"),
    )
    environment = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    return Program("mlflow", command, environment)


def _model_server(stack: Stack) -> Program:
    command = (
        *model_server.program(stack.ml_python),
        *model_server.flags(stack.grpc_port, stack.rest_port),
        *model_server.release_flags(stack.models_config),
    )
    return Program("model-server", command)


def _ml_worker(stack: Stack) -> Program:
    """Holds TFX and TensorFlow loaded and forks a child for each node."""
    environment = {
        "MLFLOW_TRACKING_URI": stack.mlflow_url,
        "PYTHONUNBUFFERED": "1",
        **metadata_environment(),
    }
    # Stopping lets a running node end by itself first: 10 s, then a little for the rest.
    return Program(
        "ml-worker", (str(stack.ml_python), "-m", "pipelines.execution.worker"), environment, stop_wait_s=15
    )
