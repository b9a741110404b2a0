import os

import pytest

from dags import environment

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
    crossed = environment.child_environment(SECRETS | PASSED)

    assert crossed == PASSED | environment.FIXED | {"SLIPWAY_HOME": str(environment.home())}


def test_what_the_ml_side_depends_on_cannot_be_changed_from_outside():
    crossed = environment.child_environment({"TF_USE_LEGACY_KERAS": "0"})

    assert crossed["TF_USE_LEGACY_KERAS"] == "1"
    assert crossed["PYTHONUNBUFFERED"] == "1"
    assert crossed["TF_CPP_MIN_LOG_LEVEL"] == "3"


@pytest.mark.usefixtures("ml")
def test_paths_follow_the_environment(tmp_path, manifests):
    assert environment.home() == tmp_path / "home"
    assert environment.manifests_folder() == manifests
    assert environment.ml_python() == tmp_path / "home" / "python"


def test_paths_lie_in_the_project_by_default():
    assert environment.home() == environment.PROJECT / "var"
    assert environment.manifests_folder() == environment.PROJECT / "pipelines" / "manifests"


def test_a_missing_ml_python_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("SLIPWAY_ML_PYTHON", str(tmp_path / "python"))

    with pytest.raises(environment.SetupError, match=r"should be at .*/python.* Run `make setup`"):
        environment.ml_python()


def test_a_node_sees_no_secret_of_airflow(ml, monkeypatch):
    from dags.operators.process import ProcessRunner

    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "s3cret")
    ml.act(release={"dump_environment": True})
    command = [str(environment.ml_python()), "-m", "serving.release"]

    ProcessRunner(
        command, cwd=environment.PROJECT, environment=environment.child_environment(os.environ)
    ).run(print)

    dumped = (ml.home / "environment.json").read_text()
    assert "s3cret" not in dumped
    assert "AIRFLOW" not in dumped
