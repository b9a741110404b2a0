import pytest

ASK = {"promotion": "approval"}


def test_an_automatic_promotion_asks_nobody_and_pushes(run_dag):
    ran = run_dag(conf={"promotion": "auto"})

    assert (ran.states["approve"], ran.states["push"], ran.state) == ("skipped", "success", "success")


def test_an_approved_model_is_pushed(run_dag, choose, ml):
    choose("Approve")

    ran = run_dag(conf=ASK)

    assert (ran.states["approve"], ran.states["push"], ran.state) == ("success", "success", "success")
    decision = ran.xcoms["approve", "decision"]
    assert (decision["approved"], decision["by"]) == (True, "Ada")
    assert ml.run_file(ran.run_id, "nodes/approve.json")["reason"].startswith("approved by Ada at 20")


def test_a_rejected_model_is_not_pushed_and_the_run_stays_green(run_dag, choose, ml):
    choose("Reject")

    ran = run_dag(conf=ASK)

    assert (ran.states["approve"], ran.states["push"], ran.state) == ("success", "skipped", "success")
    assert ran.xcoms["approve", "decision"]["approved"] is False
    assert ml.run_file(ran.run_id, "nodes/approve.json")["state"] == "refused"
    assert ml.run_file(ran.run_id, "outcome.json")["tasks"]["push"] == "skipped"
    assert "push" not in ml.ran()


@pytest.mark.usefixtures("nobody_answers")
def test_silence_counts_as_a_rejection(run_dag):
    ran = run_dag(conf=ASK, approve={"timeout_s": 1})

    assert (ran.states["approve"], ran.states["push"], ran.state) == ("success", "skipped", "success")
    assert ran.xcoms["approve", "decision"]["by"] == "nobody in time"


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
