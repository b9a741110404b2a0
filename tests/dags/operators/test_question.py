import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from uuid import uuid4

import pytest
from airflow.providers.standard.operators import hitl
from airflow.sdk.exceptions import AirflowSkipException, TaskAwaitingInput, TaskDeferred

from dags.operators import approval
from dags.operators.approval import PromotionApproval
from dags.schedule import next_slot
from dags.triggers.answer import EarlyAnswer


class Asking:
    """A task that is run without Airflow, up to the moment when it waits."""

    def __init__(self, folder):
        self.run_json = folder / "run.json"
        self.run_json.parent.mkdir(parents=True)
        self.asked = []

    def evidence_is(self, record):
        path = self.run_json.parent / "nodes/register.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(record))

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

    assert len(asking.asked) == 1


def test_nobody_is_asked_about_a_version_that_is_live_already(asking):
    asking.run_json.write_text('{"promotion": {"mode": "approval", "reason": ""}}')
    asking.evidence_is({"state": "succeeded", "already_live": True})

    with pytest.raises(AirflowSkipException, match="live already"):
        asking.ask(form="approval")


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
    assert isinstance(waiting.value.trigger, EarlyAnswer)

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
    assert type(waiting.value.timeout) is timedelta, "Airflow can send no subclass of it to the supervisor"


def test_the_next_slot_is_at_its_time_of_day_when_clocks_change():
    before = datetime(2026, 3, 28, 12, tzinfo=UTC)  # in Berlin clocks go forward in the night after

    assert next_slot("30 4 * * *", "Europe/Berlin", before) == datetime(2026, 3, 29, 2, 30, tzinfo=UTC)
