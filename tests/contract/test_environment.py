import subprocess
import sys

import pytest

from contract import environment
from contract.errors import SettingsError
from contract.state import PROJECT, StateFolder

SECRETS = {
    "AIRFLOW__API_AUTH__JWT_SECRET": "s3cret",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql://user:s3cret@db",
    "AIRFLOW_CTX_DAG_OWNER": "slipway",
    "__AIRFLOW_SUPERVISOR_FD": "7",
    "AWS_SECRET_ACCESS_KEY": "s3cret",
    "PYTHONPATH": "/airflow",
    "VIRTUAL_ENV": "/airflow",
    "MLFLOW_FLASK_SERVER_SECRET_KEY": "s3cret",
}
PASSED = {
    "PATH": "/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "TMPDIR": "/scratch",
    "TZ": "UTC",
    "SLIPWAY_GRPC_PORT": "8500",
    "MLFLOW_TRACKING_URI": "http://127.0.0.1:5000",
    "MLFLOW_TRACKING_USERNAME": "ada",
    "MLFLOW_TRACKING_PASSWORD": "pa55word",
    "MLFLOW_TRACKING_TOKEN": "t0ken",
    "MLFLOW_TRACKING_INSECURE_TLS": "true",
    "MLFLOW_TRACKING_SERVER_CERT_PATH": "/ca.pem",
    "MLFLOW_TRACKING_CLIENT_CERT_PATH": "/client.pem",
    "CUDA_VISIBLE_DEVICES": "0",
    "NVIDIA_VISIBLE_DEVICES": "all",
    "LD_LIBRARY_PATH": "/cuda",
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    "SSL_CERT_FILE": "/ca.pem",
    "REQUESTS_CA_BUNDLE": "/ca.pem",
}


def test_only_what_is_listed_crosses_over():
    crossed = environment.of_ml_process(SECRETS | PASSED)

    unbuffered, home = {"PYTHONUNBUFFERED": "1"}, {"SLIPWAY_HOME": str(PROJECT / "var")}
    assert crossed == PASSED | environment.for_tensorflow(PASSED) | unbuffered | home


def test_what_the_ml_side_depends_on_cannot_be_changed_from_airflow():
    crossed = environment.of_ml_process({"TF_USE_LEGACY_KERAS": "0"})

    assert crossed["TF_USE_LEGACY_KERAS"] == "1"


def test_what_a_person_says_of_the_log_holds_in_every_process_and_of_keras_in_none():
    asked = {"TF_CPP_MIN_LOG_LEVEL": "0", "TF_USE_LEGACY_KERAS": "0"}

    for found in (environment.for_tensorflow(asked), environment.of_ml_process(asked)):
        assert (found["TF_CPP_MIN_LOG_LEVEL"], found["TF_USE_LEGACY_KERAS"]) == ("0", "1")


@pytest.mark.parametrize("home", ["state", "state/../state", ""])
def test_both_environments_find_the_same_state_from_wherever_they_are_asked(tmp_path, home):
    found = {
        subprocess.run(
            [
                sys.executable,
                "-c",
                "from contract.state import StateFolder as F; print(F.from_environment().home)",
            ],
            env={"PYTHONPATH": str(PROJECT), **variables},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for variables in ({"SLIPWAY_HOME": home}, environment.of_ml_process({"SLIPWAY_HOME": home}))
    }

    assert found == {str(PROJECT / ((home and "state") or "var"))}


def test_paths_follow_the_environment_and_start_at_the_project(tmp_path):
    variables = {"SLIPWAY_MANIFESTS": str(tmp_path), "SLIPWAY_CONFIGS": "here"}

    assert environment.manifests_dir(variables) == tmp_path
    assert environment.configs_dir(variables) == PROJECT / "here"
    assert environment.manifests_dir({"SLIPWAY_MANIFESTS": ""}) == PROJECT / "pipelines" / "manifests"


def test_the_python_of_a_virtual_environment_is_not_the_one_that_it_links_to(tmp_path):
    python = tmp_path / "python"
    python.symlink_to(sys.executable)

    assert environment.ml_python({"SLIPWAY_ML_PYTHON": str(python)}) == python


def test_a_folder_of_state_that_is_a_link_is_the_one_it_leads_to(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")

    assert StateFolder.from_environment({"SLIPWAY_HOME": str(tmp_path / "link")}).home == tmp_path / "disk"


def test_a_missing_ml_python_says_what_to_do(tmp_path):
    with pytest.raises(SettingsError, match=r"should be at .*/python.* Run `make setup`"):
        environment.ml_python({"SLIPWAY_ML_PYTHON": str(tmp_path / "python")})
