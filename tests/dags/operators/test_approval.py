from datetime import UTC, datetime, timedelta

import pytest
from airflow.providers.standard.triggers import hitl

from dags.operators import approval
from dags.triggers import answer as early_answer

ASK = {"promotion": "approval"}


def test_an_automatic_promotion_asks_nobody_and_pushes(run_dag):
    ran = run_dag(conf={"promotion": "auto"})

    assert (ran.states["approve"], ran.states["push"], ran.state) == ("skipped", "success", "success")


def test_an_approved_model_is_pushed(run_dag, choose, ml):
    choose("Approve")

    ran = run_dag(conf=ASK)

    assert (ran.states["approve"], ran.states["push"], ran.state) == ("success", "success", "success")
    decision = ran.xcoms["approve", "decision"]
    assert (decision["answer"], decision["by"]) == ("approved", "Ada")
    left = ml.run_file(ran.run_id, "nodes/approve.json")
    assert (left["state"], left["decision"]) == ("succeeded", decision)
    assert left["reason"] == f"approved by Ada at {decision['at']}"
    assert datetime.fromisoformat(decision["at"]) <= datetime.now(UTC)


def test_a_rejected_model_is_not_pushed_and_the_run_stays_green(run_dag, choose, ml):
    choose("Reject")

    ran = run_dag(conf=ASK)

    assert (ran.states["approve"], ran.states["push"], ran.state) == ("success", "skipped", "success")
    assert ran.xcoms["approve", "decision"]["answer"] == "rejected"
    assert ml.run_file(ran.run_id, "nodes/approve.json")["state"] == "refused"
    assert ml.run_file(ran.run_id, "outcome.json")["tasks"]["push"] == "skipped"
    assert "push" not in ml.ran()


@pytest.mark.usefixtures("nobody_answers")
def test_silence_skips_the_push_and_is_no_rejection(run_dag, ml, monkeypatch):
    monkeypatch.setattr(approval, "SHORTEST", timedelta(seconds=1))

    ran = run_dag(conf=ASK, approve={"timeout_s": 1})

    assert (ran.states["approve"], ran.states["push"], ran.state) == ("success", "skipped", "success")
    decision = ran.xcoms["approve", "decision"]
    assert (decision["answer"], decision["by"]) == ("expired", "")
    left = ml.run_file(ran.run_id, "nodes/approve.json")
    assert (left["state"], left["decision"]) == ("refused", decision)
    assert left["reason"] == f"nobody answered by {decision['at']}; the next run may ask again"


def overtake_the_scheduler(as_far_as):
    """Does what the scheduler does with a task that was answered before it noticed that the task waits.

    The task goes to the executor once more and is queued there, or runs already, when the executor reports
    the end of the process that asked.
    """
    import sqlalchemy
    from airflow.executors.base_executor import BaseExecutor
    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
    from airflow.models.dagbag import DBDagBag
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session

    executor = BaseExecutor()
    with create_session() as session:
        asked = session.scalar(
            sqlalchemy.select(TaskInstance).where(
                TaskInstance.task_id == "approve", TaskInstance.state == "scheduled"
            )
        )
        asked.state = as_far_as
        session.flush()
        executor.success(asked.key)
        SchedulerJobRunner.process_executor_events(
            executor=executor, job_id=None, scheduler_dag_bag=DBDagBag(), session=session
        )
        assert asked.state == "up_for_retry"


def answer_given(ti_id):
    """Asks Airflow's execution API for the answer, as the triggerer does; `dag.test()` cannot."""
    from airflow.api_fastapi.execution_api.routes.hitl import get_hitl_detail
    from airflow.utils.session import create_session

    with create_session() as session:
        return get_hitl_detail(ti_id, session)


@pytest.fixture
def choose_at_once(answer, respond, monkeypatch):
    """Makes the person choose before the scheduler has noticed that the task waits."""
    monkeypatch.setattr(hitl, "get_hitl_detail_content_detail", answer_given)
    monkeypatch.setattr(early_answer, "SETTLE_S", 0)

    def choose(choice, as_far_as):
        acts = iter([lambda: (respond(choice), overtake_the_scheduler(as_far_as))])
        answer(lambda: next(acts, lambda: None)())

    return choose


@pytest.mark.parametrize("as_far_as", ["queued", "running"])
@pytest.mark.parametrize(("choice", "push"), [("Approve", "success"), ("Reject", "skipped")])
def test_an_answer_given_at_once_counts(run_dag, choose_at_once, choice, push, as_far_as):
    choose_at_once(choice, as_far_as)

    ran = run_dag(conf=ASK)

    assert (ran.states["approve"], ran.states["push"], ran.state) == ("success", push, "success")
    assert ran.xcoms["approve", "decision"]["by"] == "Ada"


@pytest.mark.parametrize(
    ("code", "left", "run"), [(99, "skipped", "success"), (65, "upstream_failed", "failed")]
)
def test_nobody_is_asked_about_a_model_that_was_not_registered(run_dag, ml, code, left, run):
    ml.act(register={"exit": code, "result": {"state": "refused", "reason": "same as the live one"}})

    ran = run_dag(conf=ASK)

    assert (ran.states["approve"], ran.states["push"], ran.state) == (left, left, run)
    assert ran.states["close"] == "success"


@pytest.mark.parametrize(
    ("left", "shown"),
    [
        ({"approval_body": "| metric | value |"}, "| metric | value |"),
        ({}, "The run left no table of metrics. The MLflow run of the task `register` has them."),
    ],
)
def test_the_person_reads_the_metrics_that_register_left(run_dag, choose, ml, question, left, shown):
    ml.act(register={"result": {"state": "succeeded", **left}})
    choose("Approve")

    ran = run_dag(conf=ASK)

    asked = question(ran.run_id)
    assert asked.subject == f"Promote tiny: run {ran.run_id}"
    assert asked.body == shown
    assert (asked.options, asked.defaults) == (["Approve", "Reject"], ["Reject"])
