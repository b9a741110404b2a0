import os

import pytest
from mlflow import MlflowClient

from components.errors import SettingsError
from pipelines import close, config, failures, launch, local_run, prepare, resume
from pipelines.node import Attempt
from pipelines.run_folder import FAILED, RUN, RunFolder
from pipelines.tracking import Tracker


@pytest.fixture
def prepared(tiny, tmp_path, monkeypatch):
    """A run of the tiny pipeline as `prepare` leaves one, with MLflow in a file."""
    monkeypatch.chdir(tmp_path)  # where MLflow keeps files when there is no server
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    folder = RunFolder(tmp_path, "tiny", "first")
    folder.write(prepare.REPRESENTATION, launch.to_json(tiny.compile("first")))
    parent = Tracker(uri, "tiny").open("first", "")
    run = {
        "tracking_uri": uri,
        "mlflow_run": parent,
        "tags": {},
        "config": config.load("digits").model_dump(),
    }
    folder.write(RUN, run)
    return folder


def go_on(folder, node):
    seen = []
    summary = local_run.go_on(
        folder, resume.plan(folder, node), lambda node, state: seen.append((node, state))
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


def test_a_run_whose_folder_is_deleted_under_a_node_fails_and_says_so_everywhere(prepared, tiny):
    tiny.change("make", "    write(", f"    import shutil; shutil.rmtree({str(prepared.path)!r})\n    write(")
    assert Attempt(prepared, "make").run() == failures.BAD_SETTINGS
    assert "its folder was deleted. Start a new run" in prepared.results()["make"].reason
    assert Attempt(prepared, "double").run() == failures.BAD_SETTINGS
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
    assert Attempt(prepared, "distil").run() == failures.BAD_SETTINGS
    assert prepared.results()["distil"].reason == (
        "Run first has no node 'distil'. It has: make, double, add_one."
    )


def test_a_run_whose_promotion_was_made_to_ask_a_person_ends_before_push(tmp_path):
    folder = RunFolder(tmp_path, "digits", "a-run")
    for mode, waits in (("approval", True), ("auto", False)):
        prepared = {"config": {"promotion": "auto"}, "promotion": {"mode": mode, "reason": ""}}
        folder.write(RUN, prepared)
        assert local_run._waits_for_approval(folder, "push") is waits
        assert not local_run._waits_for_approval(folder, "register")
