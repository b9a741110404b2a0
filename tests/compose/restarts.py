"""The stack is taken down, says what it lacks, and comes up with all that it had and two Celery workers."""

import os
import socket

import pytest

DAGS = ("train_digits", "train_breast_cancer")


@pytest.fixture(scope="module")
def taken_down(stack, digits_run):
    """The stack after `docker compose down`; the version that was live."""
    version = stack.stable("digits")
    stack.compose("down")
    return version


def test_a_secret_that_is_missing_is_named(stack, taken_down):
    secret = stack.folder / "secrets/redis_password"
    aside = secret.rename(secret.with_name("aside"))
    said = stack.docker("compose", "up", "--detach", "redis", check=False)
    aside.rename(secret)

    assert str(secret) in said


def test_a_port_that_is_taken_is_named(stack, taken_down):
    port = int(os.environ["SLIPWAY_MLFLOW_PORT"])
    with socket.create_server(("127.0.0.1", port)):
        said = stack.docker("compose", "up", "--detach", "--no-deps", "mlflow", check=False)

    assert f"127.0.0.1:{port}" in said
    assert "address already in use" in said


def test_versions_runs_and_the_cache_are_still_there_and_two_workers_share_the_work(
    stack, taken_down, digits_run
):
    stack.compose("up", "--detach", "--wait", "--scale", "airflow-worker=2")

    stack.wait_for(lambda: stack.stable("digits") == taken_down, 60)
    assert stack.mlflow.get_model_version_by_alias("digits", "champion").version == str(taken_down)
    assert stack.state("train_digits", digits_run) == "success"

    runs = {dag_id: stack.trigger(dag_id) for dag_id in DAGS}
    for dag_id, run_id in runs.items():
        stack.ends_green(dag_id, run_id)
    tasks = [task for dag_id, run_id in runs.items() for task in stack.tasks(dag_id, run_id).values()]
    assert len({task["hostname"] for task in tasks if task["hostname"]}) == 2
    assert stack.results("digits", runs["train_digits"])["train"]["cached_from"]
