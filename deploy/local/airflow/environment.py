"""Airflow's configuration on one machine, as environment variables. Imports nothing of Airflow."""

from __future__ import annotations

from pathlib import Path

from contract.addresses import HOST
from contract.environment import ML_PYTHON_VARIABLE
from contract.worker_protocol import SOCKET_VARIABLE
from deploy.local.credentials import ADMIN, Credentials
from deploy.local.settings import Stack

# LOGGING_LEVEL=WARNING would empty the task logs too, so the chatty parts are named one by one.
QUIETED = (
    "http.access",
    "airflow.jobs.scheduler_job_runner",
    "airflow.models.dagrun",
    "airflow.api_fastapi",
    "airflow.dag_processing",
    "supervisor",
    "airflow.executors",
)


def airflow_environment(stack: Stack, credentials: Credentials) -> dict[str, str]:
    """Returns every variable that Airflow's programs get beyond the stack's own ones."""
    options = {**_core(stack, credentials), **_api(stack, credentials), **_pace()}
    return {
        "AIRFLOW_HOME": str(stack.airflow),
        "MLFLOW_TRACKING_URI": stack.mlflow_url,
        ML_PYTHON_VARIABLE: str(stack.ml_python),
        SOCKET_VARIABLE: str(stack.worker_socket),
        **{f"AIRFLOW__{option}": value for option, value in options.items()},
    }


def database_path(stack: Stack) -> Path:
    """Returns the file of Airflow's SQLite database."""
    return stack.airflow / "airflow.db"


def _core(stack: Stack, credentials: Credentials) -> dict[str, str]:
    return {
        "CORE__DAGS_FOLDER": str(stack.project / "dags"),
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__PARALLELISM": "4",
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "CORE__SIMPLE_AUTH_MANAGER_USERS": f"{ADMIN}:admin",
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(credentials.password_file),
        "CORE__FERNET_KEY": credentials.fernet_key,
        "CORE__EXECUTION_API_SERVER_URL": f"{stack.airflow_url}/execution/",
        "DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{database_path(stack)}",
        "LOGGING__NAMESPACE_LEVELS": " ".join(f"{name}=WARNING" for name in QUIETED),
        # Together they outlast a restart of the API server, and an answer on a machine that is busy training.
        "WORKERS__EXECUTION_API_RETRIES": "7",
        "WORKERS__EXECUTION_API_TIMEOUT": "30",
    }


def _api(stack: Stack, credentials: Credentials) -> dict[str, str]:
    return {
        "API__HOST": HOST,
        "API__PORT": str(stack.airflow_port),
        "API__BASE_URL": stack.airflow_url,
        "API__WORKERS": "1",
        "API__EXPOSE_CONFIG": "False",
        "API__SECRET_KEY": credentials.api_secret_key,
        "API_AUTH__JWT_SECRET": credentials.jwt_secret,
    }


def _pace() -> dict[str, str]:
    """Returns short waits, in seconds: a new manifest shows and a task starts while a person looks on."""
    return {
        "SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "2",
        "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.5",
        "SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL": "5",
        "DAG_PROCESSOR__PARSING_PROCESSES": "1",
        "DAG_PROCESSOR__REFRESH_INTERVAL": "5",
        "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "15",
    }
