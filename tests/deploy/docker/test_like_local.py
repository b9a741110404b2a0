"""The services of docker-compose.yaml beside the programs of the stack on one machine: where must they agree?"""

from pathlib import Path

import yaml

from deploy.local.credentials import Credentials
from deploy.local.settings import Stack
from deploy.local.supervision.programs import programs

PROJECT = Path(__file__).resolve().parents[3]
SERVICES = yaml.safe_load((PROJECT / "docker-compose.yaml").read_text())["services"]
STACK = Stack(
    home=Path("/var/lib/slipway"), project=Path("/opt/slipway")
)  # as deploy/docker/Dockerfile has it
LOCAL = {
    program.name: program for program in programs(STACK, Credentials("", "", "", STACK.secrets / "passwords"))
}


def mounts(name):
    """Pairs of what is mounted and where."""
    return [tuple(volume.split(":")[:2]) for volume in SERVICES[name]["volumes"]]


def test_the_model_server_gets_the_flags_of_the_local_one():
    local = {word for word in LOCAL["model-server"].command if word.startswith("--")}

    assert local == {*SERVICES["model-server"]["command"], "--port=8500", "--rest_api_port=8501"}


def test_model_server_and_nodes_see_the_models_at_the_same_path():
    for name in ("model-server", "ml-worker", "airflow-worker", "airflow-init"):
        assert ("models", str(STACK.models)) in mounts(name)
    for name in ("ml-worker", "airflow-worker", "airflow-init"):
        assert ("slipway", str(STACK.home)) in mounts(name)
    assert f"models:{STACK.models}:ro" in SERVICES["model-server"]["volumes"]


def test_nodes_find_mlflow_and_the_model_server_wherever_they_run():
    for name in ("ml-worker", "airflow-worker"):
        environment = SERVICES[name]["environment"]
        assert environment["MLFLOW_TRACKING_URI"] == "http://mlflow:5000"
        assert environment["SLIPWAY_GRPC_TARGET"] == "model-server:8500"


def test_the_celery_worker_asks_for_the_ml_worker_where_it_listens():
    socket = str(STACK.worker_socket)

    assert SERVICES["airflow-worker"]["environment"]["SLIPWAY_WORKER_SOCKET"] == socket
    assert SERVICES["ml-worker"]["healthcheck"]["test"][-1] == socket
    local = " ".join(LOCAL["ml-worker"].command[1:])
    assert SERVICES["ml-worker"]["command"][-1].endswith(f"exec python {local}")


def test_mlflow_is_set_up_like_the_local_one_and_answers_to_its_name():
    environment = SERVICES["mlflow"]["environment"]

    assert LOCAL["mlflow"].environment.items() <= environment.items()
    assert "mlflow:5000" in environment["MLFLOW_SERVER_ALLOWED_HOSTS"].split(",")
    assert ("mlflow-artifacts", environment["MLFLOW_ARTIFACTS_DESTINATION"]) in mounts("mlflow")


def test_airflow_reads_the_dags_of_the_image_and_the_options_of_its_workers_are_the_local_ones():
    local = LOCAL["airflow-scheduler"].environment
    shared = ("CORE__DAGS_FOLDER", "CORE__DAGS_ARE_PAUSED_AT_CREATION")

    for name in ("airflow-api-server", "airflow-scheduler", "airflow-dag-processor", "airflow-worker"):
        environment = SERVICES[name]["environment"]
        assert environment["AIRFLOW__CORE__EXECUTOR"] == "CeleryExecutor"
        assert all(environment[f"AIRFLOW__{key}"] == local[f"AIRFLOW__{key}"] for key in shared)
