from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from uuid import uuid4

import pytest
from airflow.providers.standard.operators import hitl
from airflow.sdk.exceptions import AirflowSkipException, TaskAwaitingInput, TaskDeferred

from dags.operators import approval
from dags.operators.approval import PromotionApproval
from dags.schedule import next_slot
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
    assert left == {
        "state": "succeeded",
        "reason": f"approved by Ada at {decision['at']}",
        "decision": decision,
    }
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


@pytest.mark.parametrize("as_far_as", ["queued", "running"])
@pytest.mark.parametrize(("choice", "push"), [("Approve", "success"), ("Reject", "skipped")])
def test_an_answer_given_at_once_counts(run_dag, choose_at_once, choice, push, as_far_as):
    choose_at_once(choice, as_far_as)

    ran = run_dag(conf=ASK)

    assert (ran.states["approve"], ran.states["push"], ran.state) == ("success", push, "success")
    assert ran.xcoms["approve", "decision"]["by"] == "Ada"


class Asking:
    """A task that is run without Airflow, up to the moment when it waits."""

    def __init__(self, folder):
        self.run_json = folder / "run.json"
        self.run_json.parent.mkdir(parents=True)
        self.asked = []

    def ask(self, form="auto", try_number=1, max_tries=2, schedule=None, timeout=timedelta(days=1)):
        task = PromotionApproval(
            task_id="approve",
            pipeline="tiny",
            evidence="register",
            schedule=schedule,
            timezone="UTC",
            response_timeout=timeout,
        )
        ti = SimpleNamespace(id=uuid4(), try_number=try_number, max_tries=max_tries)
        task.execute(
            {"run_id": "r1", "params": {"promotion": form}, "ti": ti, "task_instance": ti, "dag_run": None}
        )


@pytest.fixture
def asking(ml, monkeypatch):
    task = Asking(ml.home / "pipelines/tiny/runs/r1")
    monkeypatch.setattr(hitl, "upsert_hitl_detail", lambda **said: task.asked.append(said))
    return task


def test_the_form_cannot_skip_an_approval_that_the_run_demands(asking):
    asking.run_json.write_text('{"promotion": {"mode": "approval", "reason": "no champion to compare with"}}')

    with pytest.raises(TaskAwaitingInput):
        asking.ask(form="auto")

    assert asking.asked[0]["body"].startswith("A person is asked: no champion to compare with\n\n")


def test_a_run_that_promotes_by_itself_asks_nobody_whatever_the_form_said(asking):
    asking.run_json.write_text('{"promotion": {"mode": "auto", "reason": ""}}')

    with pytest.raises(AirflowSkipException):
        asking.ask(form="approval")


def test_a_task_that_is_tried_again_keeps_the_answer_and_one_that_is_cleared_asks_anew(asking):
    with pytest.raises(TaskAwaitingInput):
        asking.ask(form="approval")
    with pytest.raises(TaskDeferred) as waiting:
        asking.ask(form="approval", try_number=2)
    assert len(asking.asked) == 1
    assert isinstance(waiting.value.trigger, early_answer.EarlyAnswer)

    with pytest.raises(TaskAwaitingInput):
        asking.ask(form="approval", try_number=3, max_tries=4)
    assert len(asking.asked) == 2


def test_a_task_that_died_before_it_asked_asks_when_it_is_tried_again(asking, monkeypatch):
    def die(**said):
        raise ConnectionError

    with monkeypatch.context() as dying:
        dying.setattr(hitl, "upsert_hitl_detail", die)
        with pytest.raises(ConnectionError):
            asking.ask(form="approval")

    with pytest.raises(TaskAwaitingInput):
        asking.ask(form="approval", try_number=2)


NOW = datetime(2026, 1, 2, 2, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "limit", "expected"),
    [
        (None, timedelta(days=2), timedelta(days=2)),
        ("0 2 * * *", timedelta(hours=8), timedelta(hours=8)),
        ("0 2 * * *", timedelta(days=1), timedelta(hours=23, minutes=45)),
        ("12 * * * *", timedelta(days=1), timedelta(minutes=1)),
        ("0 2 * * *", timedelta(seconds=10), timedelta(minutes=1)),
    ],
)
def test_a_question_ends_before_the_next_run_and_leaves_a_minute(
    asking, monkeypatch, schedule, limit, expected
):
    monkeypatch.setattr(approval, "utcnow", lambda: NOW)

    with pytest.raises(TaskAwaitingInput) as waiting:
        asking.ask(form="approval", schedule=schedule, timeout=limit)

    assert waiting.value.timeout == expected


def test_the_next_slot_is_at_its_time_of_day_when_clocks_change():
    before = datetime(2026, 3, 28, 12, tzinfo=UTC)  # in Berlin clocks go forward in the night after

    assert next_slot("30 4 * * *", "Europe/Berlin", before) == datetime(2026, 3, 29, 2, 30, tzinfo=UTC)


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
