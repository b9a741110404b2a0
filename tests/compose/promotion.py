"""A person says yes in Airflow, and changes their mind in MLflow; the model server follows."""

import pytest

DAG = "train_digits"


@pytest.fixture(scope="module")
def approved(stack, digits_run):
    """A run that has asked a person, who approved; the version before it, and its own."""
    before = stack.stable("digits")
    run_id = stack.trigger(DAG, promotion="approval", train__learning_rate=0.004)
    stack.wait_until(DAG, run_id, "approve", "awaiting_input", "deferred")
    assert stack.stable("digits") == before
    path = f"/api/v2/dags/{DAG}/dagRuns/{run_id}/taskInstances/approve/-1/hitlDetails"
    details = stack.airflow("GET", path).json()
    answer = {"chosen_options": ["Approve"], "params_input": details.get("params_input") or {}}
    stack.airflow("PATCH", path, json=answer)
    stack.ends_green(DAG, run_id)
    return before, int(stack.mlflow.get_model_version_by_alias("digits", "champion").version), details["body"]


def test_a_model_goes_live_when_a_person_approves_it(stack, approved):
    before, version, _ = approved

    assert version > before
    assert stack.stable("digits") == version


def test_the_page_that_the_question_links_to_opens_on_this_machine(stack, approved):
    _, version, body = approved

    assert f"({stack.mlflow_url}/#/models/digits/versions/{version})" in body
    assert f"{stack.rest_url}/v1/models/digits/" in body


def test_an_alias_moved_in_mlflow_is_followed_by_the_model_server(stack, approved):
    before, version, _ = approved

    stack.mlflow.set_registered_model_alias("digits", "champion", str(before))
    stack.wait_for(lambda: stack.stable("digits") == before, 120)

    stack.mlflow.set_registered_model_alias("digits", "champion", str(version))
    stack.wait_for(lambda: stack.stable("digits") == version, 120)
