import pytest

from contract.run_folder import FAILED, OUTCOME, REFUSED, SUCCEEDED, NodeResult, RunFolder
from pipelines.runs import close


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path, "digits", "manual__2026-01-01T00:00:00+00:00")


def left(folder, **results):
    for node, result in results.items():
        folder.write_result(node, result)
    return close.summarize(folder)


def test_a_run_whose_push_succeeded_succeeded(folder):
    summary = left(folder, train=NodeResult(SUCCEEDED, metrics={"loss": 0.1}), push=NodeResult(SUCCEEDED))
    assert summary["state"] == SUCCEEDED
    assert summary["metrics"] == {"train.loss": 0.1}


def test_a_refusal_gives_its_reason(folder):
    summary = left(folder, train=NodeResult(SUCCEEDED), evaluate=NodeResult(REFUSED, "accuracy is 0.5"))
    assert (summary["state"], summary["reason"]) == (REFUSED, "evaluate: accuracy is 0.5")


def test_a_failure_counts_more_than_a_refusal(folder):
    summary = left(folder, evaluate=NodeResult(REFUSED, "meh"), train=NodeResult(FAILED, "disk is full"))
    assert (summary["state"], summary["reason"]) == (FAILED, "train: disk is full")


def test_a_task_killed_before_it_could_speak_is_a_failure(folder):
    folder.write(OUTCOME, {"tasks": {"train": "failed", "evaluate": "upstream_failed"}})
    summary = left(folder, ingest=NodeResult(SUCCEEDED))
    assert summary["state"] == FAILED
    assert "train failed or was stopped" in summary["reason"]


def test_a_run_without_anybody_to_approve_says_how_to_go_live(folder):
    folder.write(OUTCOME, {"tasks": {"register": "success"}})
    summary = left(folder, register=NodeResult(SUCCEEDED, metrics={"version": 4.0}))
    assert summary["state"] == REFUSED
    assert "slipway promote digits 4" in summary["reason"]


def test_a_failure_of_an_earlier_attempt_is_not_one_of_a_run_that_was_refused_since(folder):
    folder.write_result("evaluate", NodeResult(REFUSED, "too weak"))
    folder.write_result("push", NodeResult(FAILED, "the server is down"))
    folder.write(OUTCOME, {"tasks": {"evaluate": "skipped", "push": "skipped"}})
    summary = close.summarize(folder)
    assert (summary["state"], summary["reason"]) == (REFUSED, "evaluate: too weak")
