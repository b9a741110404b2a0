"""The stack is taken down and comes up with everything that it had; a second Celery worker takes its share."""

DAG = "train_digits"


def test_down_and_up_with_two_workers_keeps_versions_runs_and_the_cache(stack, digits_run):
    version = stack.stable("digits")
    stack.compose("down")
    stack.compose("up", "--detach", "--wait", "--scale", "airflow-worker=2")

    stack.wait_for(lambda: stack.stable("digits") == version, 60)
    assert stack.mlflow.get_model_version_by_alias("digits", "champion").version == str(version)
    assert stack.state(DAG, digits_run) == "success"

    assert len(stack.compose("ps", "--quiet", "airflow-worker").split()) == 2
    runs = {dag_id: stack.trigger(dag_id) for dag_id in (DAG, "train_breast_cancer")}
    for dag_id, run_id in runs.items():
        stack.ends_green(dag_id, run_id)
    hosts = {
        task["hostname"] for dag_id, run_id in runs.items() for task in stack.tasks(dag_id, run_id).values()
    }
    assert len(hosts - {None, ""}) == 2
    assert stack.results("digits", runs[DAG])["train"]["cached_from"]
