import os
import signal
import subprocess
import sys
from itertools import takewhile
from pathlib import Path

import pytest
from mlflow import MlflowClient

from contract import exit_codes
from contract.errors import SettingsError
from contract.run_folder import COLLECTED, FAILED, PIPELINE_IR, RUN, SUMMARY, RunFolder
from pipelines.definition import config
from pipelines.execution import local_run
from pipelines.execution import node as node_program
from pipelines.execution.cancellation import Cancellation
from pipelines.execution.node import Attempt
from pipelines.lineage import code_version, launch
from pipelines.runs import close, prepare, resume
from pipelines.runs.baseline import RUN_DIGEST
from pipelines.runs.warm_start import champion
from pipelines.tracking import approval
from pipelines.tracking.tracker import Tracker


@pytest.fixture
def prepared(tiny, tmp_path, monkeypatch, new_mlflow):
    """A run of the tiny pipeline as `prepare` leaves one, with MLflow in a file."""
    monkeypatch.chdir(tmp_path)  # where MLflow keeps files when there is no server
    uri = new_mlflow(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    folder = RunFolder(tmp_path, "tiny", "first")
    folder.write(PIPELINE_IR, launch.to_json(tiny.compile("first")))
    parent = Tracker(uri, "tiny").open("first", "")
    run = {
        "tracking_uri": uri,
        "mlflow_run": parent,
        "stack": code_version.stack(),
        "tags": {},
        "config": config.load("digits").model_dump(),
    }
    folder.write(RUN, run)
    return folder


def go_on(folder, node, cancellation=None):
    seen = []
    summary = local_run.go_on(
        folder, resume.plan(folder, node), lambda node, state: seen.append((node, state)), cancellation
    )
    return summary, [node for node, state in seen if state == "running"]


def test_a_run_that_failed_goes_on_where_it_failed_and_tells_everybody(prepared, tiny):
    tiny.change("double", "    write(", "    raise OSError('disk is full')\n    write(")
    summary, ran = go_on(prepared, "make")
    assert ran == ["prepare", "make", "double", "close"]
    assert (summary["state"], summary["resume"]) == (FAILED, "slipway run tiny --from double --run-id first")

    tiny.change("double", "    raise OSError('disk is full')\n", "")
    summary, ran = go_on(prepared, "double")
    assert ran == ["prepare", "double", "add_one", "close"]
    assert {node: result["state"] for node, result in summary["nodes"].items()} == dict.fromkeys(
        ("make", "double", "add_one"), "succeeded"
    )
    assert summary["resume"] == ""

    summary, ran = go_on(prepared, "add_one")
    assert ran == ["prepare", "add_one", "close"]
    assert summary["nodes"]["add_one"]["cached_from"] == "first"
    client = MlflowClient(tracking_uri=prepared.require(RUN)["tracking_uri"])
    runs = client.search_runs([client.get_experiment_by_name("tiny").experiment_id])
    tags = {run.data.tags["slipway.node"]: run.data.tags for run in runs}
    assert tags["add_one"]["slipway.cached_from"] == "first"
    assert tags["make"]["slipway.cached_from"] == ""
    assert not tags["double"].get("mlflow.note.content"), "it says no longer that the disk is full"
    assert "tfx 1." in tags["make"]["slipway.libraries"]
    assert len(runs) == 4, "a node that runs again opens its MLflow run again"


def test_a_node_that_other_code_ran_than_prepare_knew_is_named_by_what_ran(prepared, monkeypatch):
    of_before = {"sources": "of before an upgrade", "libraries": ""}
    prepared.write(RUN, {**prepared.require(RUN), "data_digest": "data", "code": {"make": of_before}})
    monkeypatch.setattr(champion, "LEARNING", ("make",))
    assert Attempt(prepared, "make").run() == 0
    named = prepared.require(RUN)
    found = Tracker(named["tracking_uri"], "tiny").open("first", "make", parent=named["mlflow_run"], tags={})
    client = MlflowClient(tracking_uri=named["tracking_uri"])
    assert named["code"]["make"]["sources"] == client.get_run(found).data.tags["slipway.code"]
    assert named["tags"].keys() >= {champion.TRAINED_AS, RUN_DIGEST}


def test_a_run_that_goes_on_has_not_ended(prepared):
    prepared.write(SUMMARY, {"state": "succeeded"})
    had_ended = {}
    local_run.go_on(
        prepared,
        resume.plan(prepared, "make"),
        lambda node, state: had_ended.setdefault(node, (prepared.path / SUMMARY).exists()),
    )
    assert had_ended == {"prepare": True, "make": False, "double": False, "add_one": False, "close": False}
    assert prepared.read(SUMMARY)["nodes"]


def test_no_node_runs_in_a_run_that_retention_took_something_from(prepared):
    prepared.write(COLLECTED, {"at": "2026-01-01T00:00:00+00:00", "because": "it is old"})
    assert Attempt(prepared, "make").run() == exit_codes.BAD_SETTINGS
    assert "retention removed it on 2026-01-01T00:00:00+00:00: it is old" in prepared.results()["make"].reason


def test_a_run_whose_folder_is_deleted_under_a_node_fails_and_says_so_everywhere(prepared, tiny):
    tiny.change("make", "    write(", f"    import shutil; shutil.rmtree({str(prepared.path)!r})\n    write(")
    assert Attempt(prepared, "make").run() == exit_codes.BAD_SETTINGS
    assert "its folder was deleted. Start a new run" in prepared.results()["make"].reason
    assert Attempt(prepared, "double").run() == exit_codes.BAD_SETTINGS
    with pytest.raises(SettingsError, match="its folder was deleted"):
        close.run(prepared)
    client = MlflowClient(tracking_uri=os.environ["MLFLOW_TRACKING_URI"])
    runs = client.search_runs([client.get_experiment_by_name("tiny").experiment_id])
    assert {run.data.tags["slipway.node"]: run.info.status for run in runs} == {
        "pipeline": "FAILED",
        "make": "FAILED",
    }
    assert all("its folder was deleted. Start a new run" in run.data.tags["slipway.reason"] for run in runs)


def test_a_node_that_the_run_does_not_have_is_refused_with_those_it_has(prepared):
    assert Attempt(prepared, "distil").run() == exit_codes.BAD_SETTINGS
    assert prepared.results()["distil"].reason == (
        "Run first has no node 'distil'. It has: make, double, add_one."
    )


def test_a_run_whose_promotion_was_made_to_ask_a_person_ends_before_push(tmp_path):
    folder = RunFolder(tmp_path, "digits", "a-run")
    for mode, waits in (("approval", True), ("auto", False)):
        prepared = {"config": {"promotion": "auto"}, "promotion": {"mode": mode, "reason": ""}}
        folder.write(RUN, prepared)
        assert approval.is_missing(folder) is waits


def told(folder):
    """State of the MLflow run of each node, and of the whole run, and why."""
    client = MlflowClient(tracking_uri=folder.require(RUN)["tracking_uri"])
    runs = client.search_runs([client.get_experiment_by_name("tiny").experiment_id])
    return {
        run.data.tags["slipway.node"]: (run.info.status, run.data.tags.get("slipway.reason")) for run in runs
    }


CANCELLED = {
    "make": ("FINISHED", ""),
    "double": ("KILLED", "Cancelled: the process was asked to stop."),
    "pipeline": ("FAILED", "double: Cancelled: the process was asked to stop."),
}
GO_ON = "slipway run tiny --from double --run-id first"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_cancels_the_node_closes_the_run_and_it_goes_on_later(prepared, tiny, number):
    asked = f"    import os; os.kill(os.getpid(), {number:d})\n"
    tiny.change("double", "    write(", f"{asked}    write(")
    with Cancellation() as cancellation:
        summary, ran = go_on(prepared, "make", cancellation)

    assert ran == ["prepare", "make", "double", "close"]
    assert (summary["state"], summary["resume"]) == (FAILED, GO_ON)
    assert told(prepared) == CANCELLED
    assert cancellation.signal == number

    tiny.change("double", asked, "")
    assert {node["state"] for node in go_on(prepared, "double")[0]["nodes"].values()} == {"succeeded"}


@pytest.fixture
def as_a_process(prepared, monkeypatch):
    """Runs a node as `python -m pipelines.execution.node` does; what that changes in this process is put back."""
    monkeypatch.setenv("SLIPWAY_HOME", str(prepared.path.parents[3]))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield lambda node: node_program.run("tiny", "first", node)
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_run_folder_that_cannot_be_written_is_named_and_once_it_can_the_node_runs(
    prepared, as_a_process, mortal, caplog
):
    nodes = prepared.path / "nodes"
    nodes.mkdir()
    nodes.chmod(0o500)
    assert as_a_process("make") == exit_codes.BAD_SETTINGS
    assert f"the system forbids it ({nodes}/make.lock: Permission denied)" in caplog.text
    nodes.chmod(0o700)
    assert as_a_process("make") == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_process_of_one_node_cancels_it(prepared, tiny, as_a_process, number):
    tiny.change("double", "    write(", f"    import os; os.kill(os.getpid(), {number:d})\n    write(")
    assert as_a_process("make") == 0
    assert as_a_process("double") == exit_codes.CANCELLED
    assert told(prepared)["double"] == CANCELLED["double"]


def test_a_signal_between_two_nodes_cancels_the_next_one(prepared):
    def stop(node, state):
        if (node, state) == ("make", "success"):
            os.kill(os.getpid(), signal.SIGINT)

    with Cancellation() as cancellation:
        summary = local_run.go_on(prepared, resume.plan(prepared, "make"), stop, cancellation)

    assert summary["resume"] == GO_ON
    assert told(prepared)["pipeline"] == CANCELLED["pipeline"]


def test_a_signal_while_the_run_is_closed_lets_it_be_closed(prepared):
    def stop(node, state):
        if (node, state) == ("close", "running"):
            os.kill(os.getpid(), signal.SIGINT)

    with Cancellation() as cancellation:
        local_run.go_on(prepared, resume.plan(prepared, "make"), stop, cancellation)

    assert {status for status, _ in told(prepared).values()} == {"FINISHED"}


def test_a_signal_while_the_run_is_prepared_ends_what_it_opened_in_mlflow(prepared, monkeypatch):
    def opens_and_is_stopped(folder):
        Tracker(os.environ["MLFLOW_TRACKING_URI"], "tiny").open(folder.run_id, "")
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(prepare, "run", opens_and_is_stopped)
    monkeypatch.setenv("SLIPWAY_HOME", str(prepared.path.parents[3]))
    with Cancellation() as cancellation:
        summary = local_run.run("tiny", {}, lambda node, state: None, cancellation, "first")

    assert summary["state"] == FAILED
    assert told(prepared)["pipeline"] == ("FAILED", "Cancelled: the process was asked to stop.")


@pytest.mark.e2e
@pytest.mark.long
def test_ctrl_c_ends_the_command_with_130_and_says_how_to_go_on(prepared, tiny):
    tiny.change(
        "double", "    write(", "    print('waiting', flush=True); import time; time.sleep(600)\n    write("
    )
    program = (
        "import sys; from pipelines.runs import resume; from cli import runs; "
        "from contract.run_folder import RunFolder; folder = RunFolder.here('tiny', 'first'); "
        "plan = resume.plan(folder, 'make'); "
        "sys.exit(runs._here('tiny', lambda local_run, *told: local_run.go_on(folder, plan, *told)))"
    )
    project = Path(__file__).parents[3]
    environment = {
        **os.environ,
        "SLIPWAY_HOME": str(prepared.path.parents[3]),
        "PYTHONPATH": os.pathsep.join([str(project), str(tiny.folder)]),
    }
    command = [sys.executable, "-c", program]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as running:
        said = list(takewhile(lambda line: line != "waiting\n", running.stdout))
        running.send_signal(signal.SIGINT)
        rest = running.stdout.read()

    assert running.returncode == 130, "".join(said) + rest
    assert f"To go on from there: {GO_ON}" in rest
    assert "Traceback" not in rest
    assert told(prepared) == CANCELLED


def test_a_run_that_was_approved_and_whose_push_failed_resumes_at_push(tmp_path):
    folder = RunFolder(tmp_path, "digits", "a-run")
    folder.write(RUN, {"promotion": {"mode": "approval", "reason": ""}})
    for answer, waits in (("approved", False), ("rejected", True), ("expired", True)):
        decision = {"answer": answer, "by": "anna", "at": "2026-01-01T00:00:00+00:00"}
        folder.write("nodes/approve.json", {"state": "succeeded", "reason": "", "decision": decision})
        assert approval.is_missing(folder) is waits
