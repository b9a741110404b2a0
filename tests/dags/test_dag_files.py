import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.module_loading import import_string
from airflow.serialization.serialized_objects import DagSerialization
from airflow.triggers.base import BaseEventTrigger

from contract.manifest import training_dag_id
from contract.state import PROJECT

FORBIDDEN = ("tensorflow", "tfx", "mlflow", "great_expectations", "components", "pipelines", "serving")
PARSE = f"""
import json, sys, time
from airflow.dag_processing.dagbag import DagBag
import airflow.sdk, airflow.providers.standard.operators.hitl
before = time.perf_counter()
bag = DagBag()
print(json.dumps({{
    "seconds": time.perf_counter() - before,
    "errors": bag.import_errors,
    "dags": sorted(bag.dags),
    "loaded": [name for name in sys.modules if name.split(".")[0] in {FORBIDDEN}],
}}))
"""


@pytest.fixture
def add(manifests, tiny):
    """Puts a manifest into the folder, under this name and with these changes."""

    def put(name: str, **changes) -> None:
        (manifests / f"{name}.json").write_text(
            json.dumps(tiny | {"pipeline": name, "dag_id": training_dag_id(name)} | changes)
        )

    return put


def test_the_dags_of_the_committed_manifests_load():
    bag = DagBag()

    assert bag.import_errors == {}
    committed = {path.stem for path in (PROJECT / "pipelines" / "manifests").glob("*.json")}
    assert set(bag.dags) == {"release"} | {training_dag_id(name) for name in committed}


def test_only_the_files_that_define_dags_are_parsed():
    assert {Path(path).name for path in DagBag().file_last_changed} == {
        "train.py",
        "release.py",
        "manifest_check.py",
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"timezone": 5}, "two.json: timezone must be a valid string, got 5"),
        (
            {"schedule": "at night"},
            "two.json: .*schedule must be a cron expression or null, got .at night.: Exactly 5",
        ),
        (
            {"timezone": "Mars/Olympus"},
            "two.json: timezone must be a name such as Europe/Berlin, got .Mars/Olympus",
        ),
        (
            {"params": {"n": {"default": 0, "minimum": 1}}},
            r"two.json: .*params\[.n.\].default must satisfy its own schema: 0 is less than",
        ),
        (
            {"schedule": None, "params": {"n": {"default": 0, "minimum": 1}}},
            r"two.json: .*params\[.n.\].default must satisfy its own schema: 0 is less than",
        ),
        ({"groups": [{"id": "a b", "title": "", "doc": ""}]}, "two.json: "),
    ],
)
def test_a_broken_manifest_is_shown_and_takes_no_other_dag_with_it(add, changes, message):
    add("one")
    add("two", **changes)
    add("three")

    bag = DagBag()

    assert set(bag.dags) == {"train_one", "train_three", "release"}
    (error,) = bag.import_errors.items()
    assert error[0].endswith("dags/manifest_check.py")
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(error[1])


def test_two_manifests_that_want_the_same_dag_are_shown(add):
    add("one")
    add("two", dag_id="train_one")

    bag = DagBag()

    assert set(bag.dags) == {"train_one", "release"}
    (error,) = bag.import_errors.values()
    assert "two.json: dag_id must be unique, and 'train_one' is taken" in error


def test_a_manifest_of_another_kind_is_left_to_the_file_that_builds_that_kind(add):
    add("one")
    add("two", kind="monitoring", dag_id="watch_two")

    bag = DagBag()

    assert bag.import_errors == {}
    assert set(bag.dags) == {"train_one", "release"}


def test_every_broken_manifest_is_named(add):
    add("one", schedule=1)
    add("two", schedule=2)

    (error,) = DagBag().import_errors.values()

    assert "one.json: schedule must be" in error
    assert "two.json: schedule must be" in error


def test_the_release_form_suggests_the_models_of_the_manifests(add):
    add("one")
    add("two")

    params = DagBag().dags["release"].params

    assert params["model"] is None
    assert params.get_param("model").schema["examples"] == ["one", "two"]


def test_the_process_of_a_task_builds_the_dag_of_the_task_alone(add, monkeypatch):
    add("one")
    add("two")
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "train_two")

    assert {dag_id for dag_id in DagBag().dags if dag_id != "release"} == {"train_two"}


def test_the_release_form_loads_without_manifests(manifests):
    assert set(DagBag().dags) == {"release"}


def test_the_release_dag_waits_for_moved_aliases_and_arrives_at_the_scheduler():
    dag = DagBag().dags["release"]

    received = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))

    ((_, asset),) = received.timetable.asset_condition.iter_assets()
    assert asset.name == "mlflow_champions"
    (watcher,) = asset.watchers
    assert watcher.trigger["kwargs"] == {}
    assert issubclass(import_string(watcher.trigger["classpath"]), BaseEventTrigger)


def test_parsing_loads_nothing_of_the_ml_side(record_property):
    done = subprocess.run(
        [sys.executable, "-c", PARSE],
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=True,
    )

    parsed = json.loads(done.stdout.splitlines()[-1])
    record_property("parse_seconds", parsed["seconds"])
    assert parsed["errors"] == {}
    assert "release" in parsed["dags"]
    assert parsed["loaded"] == []
