"""What is killed or cut off in the middle of a run comes back, and the run ends green without a person."""

import threading

import pytest

# Two models that do not wait for each other, changed so that nothing is answered from the cache.
DIGITS, BIOPSIES = "train_digits", "train_breast_cancer"


def killed_while(stack, dag_id, run_id, task_id, service):
    stack.wait_until(dag_id, run_id, task_id, "running")
    stack.kill(service)


def test_a_run_survives_the_ml_worker_the_scheduler_mlflow_and_postgresql(stack):
    run_id = stack.trigger(BIOPSIES, train__learning_rate=0.002)
    killed_while(stack, BIOPSIES, run_id, "train", "ml-worker")
    killed_while(stack, BIOPSIES, run_id, "evaluate", "airflow-scheduler")
    killed_while(stack, BIOPSIES, run_id, "compress", "mlflow")
    killed_while(stack, BIOPSIES, run_id, "infra_validate", "postgres")

    stack.ends_green(BIOPSIES, run_id)


@pytest.fixture(scope="module")
def orphaned(stack, digits_run):
    """A run whose Celery worker was killed while it trained. Others are tested in the minutes of its silence."""
    run_id = stack.trigger(DIGITS, train__learning_rate=0.006)
    killed_while(stack, DIGITS, run_id, "train", "airflow-worker")
    return run_id


def test_a_run_survives_a_minute_without_mlflow(stack, orphaned):
    run_id = stack.trigger(BIOPSIES, train__learning_rate=0.0025)
    stack.wait_until(BIOPSIES, run_id, "train", "running")
    container = stack.container("mlflow")
    networks = list(stack.inspect("mlflow")["NetworkSettings"]["Networks"])
    for network in networks:
        stack.docker("network", "disconnect", network, container)
    threading.Event().wait(60)
    for network in networks:
        stack.docker("network", "connect", "--alias", "mlflow", network, container)

    stack.ends_green(BIOPSIES, run_id)


def test_a_run_survives_its_celery_worker(stack, orphaned):
    stack.ends_green(DIGITS, orphaned)
    # More than two where its second try met the minute without MLflow.
    assert stack.tasks(DIGITS, orphaned)["train"]["try_number"] >= 2
