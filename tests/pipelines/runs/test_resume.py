import pytest

from contract.errors import SettingsError
from contract.run_folder import FAILED, OUTCOME, PIPELINE_IR, REFUSED, RUN, SUCCEEDED, NodeResult, RunFolder
from pipelines.runs import close, resume

EDGES = {
    "ingest": [],
    "live_model": [],
    "statistics": ["ingest"],
    "train": ["ingest"],
    "evaluate": ["train", "live_model"],
    "push": ["evaluate"],
}


@pytest.fixture
def folder(tmp_path):
    made = RunFolder(tmp_path, "digits", "run-1")
    kinds = {"live_model": resume.IMPORTER}
    nodes = [
        {
            "pipeline_node": {
                "node_info": {"id": node, "type": {"name": kinds.get(node, "component")}},
                "upstream_nodes": upstream,
            }
        }
        for node, upstream in EDGES.items()
    ]
    made.write(PIPELINE_IR, {"nodes": nodes})
    made.write(RUN, {})
    return made


def left(folder, **states):
    for node, state in states.items():
        folder.write_result(node, NodeResult(state, "too weak" if state == REFUSED else ""))


def test_the_node_and_what_depends_on_it_run_again_and_the_rest_is_used(folder):
    left(folder, ingest=SUCCEEDED, statistics=SUCCEEDED, train=SUCCEEDED, evaluate=SUCCEEDED, push=SUCCEEDED)
    plan = resume.plan(folder, "train")
    assert plan == resume.Plan(used=("ingest", "statistics"), again=("train", "evaluate", "push"))


def test_what_failed_beside_the_node_runs_too(folder):
    left(folder, ingest=SUCCEEDED, statistics=FAILED, train=FAILED)
    assert resume.plan(folder, "train").again == ("statistics", "train", "evaluate", "push")


def test_what_comes_before_must_have_succeeded(folder):
    left(folder, ingest=SUCCEEDED)
    with pytest.raises(SettingsError, match="train is not run") as caught:
        resume.plan(folder, "push")
    assert "slipway run digits --from train --run-id run-1" in str(caught.value)


def test_nothing_runs_after_a_refusal(folder):
    left(folder, ingest=SUCCEEDED, train=SUCCEEDED, evaluate=REFUSED)
    with pytest.raises(SettingsError, match=r"evaluate is refused \(too weak\)"):
        resume.plan(folder, "push")


def test_an_unknown_node_is_answered_with_the_known_ones(folder):
    with pytest.raises(SettingsError, match=r"has no node 'trian'. It has: ingest, statistics, train"):
        resume.plan(folder, "trian")


def test_an_unknown_run_is_answered_with_the_known_ones(folder, tmp_path):
    with pytest.raises(SettingsError, match=r"got 'run-2'. Known, newest first: run-1"):
        resume.plan(RunFolder(tmp_path, "digits", "run-2"), "train")


def test_the_summary_of_a_failed_run_names_the_command_that_goes_on_from_its_first_failure(folder):
    left(folder, ingest=SUCCEEDED, train=FAILED, statistics=FAILED)
    summary = close.summarize(folder)
    assert summary["resume"] == "slipway run digits --from statistics --run-id run-1"
    assert list(summary["nodes"]) == ["ingest", "statistics", "train"], "in the order of the pipeline"


def test_a_node_that_was_killed_before_it_could_speak_is_where_to_go_on(folder):
    left(folder, ingest=SUCCEEDED)
    folder.write(OUTCOME, {"tasks": {"train": "failed"}})
    assert close.summarize(folder)["resume"] == "slipway run digits --from train --run-id run-1"


def test_a_run_that_was_refused_has_nothing_to_go_on_with(folder):
    left(folder, ingest=SUCCEEDED, train=SUCCEEDED, evaluate=REFUSED)
    assert close.summarize(folder)["resume"] == ""


def test_no_node_runs_after_a_gate_that_did_not_let_the_model_pass_whatever_a_person_clears(folder):
    left(folder, ingest=SUCCEEDED, train=SUCCEEDED, evaluate=SUCCEEDED)
    resume.check_current(folder, "push")
    left(folder, evaluate=REFUSED)
    with pytest.raises(SettingsError, match=r"evaluate is refused \(too weak\)"):
        resume.check_current(folder, "push")
    folder.forget_result("evaluate")
    with pytest.raises(SettingsError, match="evaluate is not run"):
        resume.check_current(folder, "push")
