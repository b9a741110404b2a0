import json
from datetime import UTC, datetime, timedelta

import pytest
from airflow.sdk import CronTriggerTimetable
from airflow.serialization.serialized_objects import DagSerialization
from airflow.timetables.base import TimeRestriction

from contract import manifest
from contract.state import PROJECT
from dags.training_dag import build_valid_dag

COMMITTED = sorted((PROJECT / "pipelines" / "manifests").glob("*.json"))
PATHS = [PROJECT / "tests" / "dags" / "manifests" / "tiny.json", *COMMITTED]


def build(path):
    return build_valid_dag(manifest.read(path), path)


@pytest.fixture(params=PATHS, ids=[path.name for path in PATHS])
def path(request):
    return request.param


@pytest.fixture
def content(path):
    return json.loads(path.read_text())


@pytest.fixture
def dag(path):
    return build(path)


def test_tasks_edges_and_groups_are_those_of_the_manifest(dag, content):
    assert dag.dag_id == content["dag_id"]
    assert set(dag.task_ids) == {node["id"] for node in content["nodes"]}
    for node in content["nodes"]:
        task = dag.get_task(node["id"])
        # A teardown also hangs on its setup.
        expected = {*node["upstream"], "prepare"} if node["kind"] == "close" else {*node["upstream"]}
        assert task.upstream_task_ids == expected
        assert task.task_group.group_id == node["group"]


def test_groups_carry_their_titles(dag, content):
    shown = {
        group.group_id: group.group_display_name for group in dag.task_group.get_task_group_dict().values()
    }

    assert {group["id"]: group["title"] for group in content["groups"]}.items() <= shown.items()


def test_tasks_take_their_limits_from_the_manifest(dag, content):
    for node in content["nodes"]:
        task = dag.get_task(node["id"])
        limit = task.response_timeout if node["kind"] == "approval" else task.execution_timeout
        assert task.pool == node["pool"]
        assert limit == timedelta(seconds=node["timeout_s"])
        if node["kind"] != "approval":  # which is tried again for reasons of its own
            assert (task.retries, task.retry_delay) == (
                node["retries"],
                timedelta(seconds=node["retry_delay_s"]),
            )
        assert (task.retry_exponential_backoff, task.max_retry_delay) == (2, timedelta(minutes=10))
        assert task.doc_md == node["doc"]


def test_the_run_is_opened_and_closed_around_everything_else(dag):
    prepare, close = dag.get_task("prepare"), dag.get_task("close")

    assert prepare.is_setup
    assert close.is_teardown
    assert not close.on_failure_fail_dagrun
    assert prepare.get_flat_relative_ids(upstream=False) == {*dag.task_ids} - {"prepare"}
    assert close.get_flat_relative_ids(upstream=True) == {*dag.task_ids} - {"close"}


def test_the_form_is_that_of_the_manifest(dag, content):
    for name, schema in content["params"].items():
        param = dag.params.get_param(name)
        shown = {"default": param.value, "description": param.description, **param.schema}
        assert shown == {"description": None} | schema


def test_a_dag_that_is_new_does_not_run_the_slot_that_has_just_passed(tiny, manifests):
    now = datetime.now(UTC)
    passed = now - timedelta(minutes=1)
    tiny["schedule"] = f"{passed.minute} {passed.hour} * * *"
    (manifests / "tiny.json").write_text(json.dumps(tiny | {"timezone": "UTC"}))
    dag = build(manifests / "tiny.json")

    received = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))
    first = received.timetable.next_dagrun_info(
        last_automated_data_interval=None, restriction=TimeRestriction(None, None, catchup=dag.catchup)
    )

    assert first.run_after > now


def test_the_schedule_is_that_of_the_manifest(dag, content):
    if content["schedule"] is None:
        assert dag.schedule is None
    else:
        assert isinstance(dag.timetable, CronTriggerTimetable)
        assert (dag.timetable.expression, str(dag.timetable.timezone)) == (
            content["schedule"],
            content["timezone"],
        )
    assert dag.start_date is None
    assert not dag.catchup
    assert dag.max_active_runs == content["max_active_runs"]


def test_the_dag_survives_the_way_to_the_scheduler(dag, content):
    received = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))

    assert received.doc_md == content["description"]
    assert received.tags == {"slipway", "training"}
    for node in content["nodes"]:
        task = received.get_task(node["id"])
        assert task.upstream_task_ids == dag.get_task(node["id"]).upstream_task_ids
        links = [] if node["kind"] == "approval" else ["MLflow run"]
        assert list(task.extra_links) == links


def test_what_follows_an_approval_runs_when_nobody_had_to_be_asked(dag):
    assert dag.get_task("push").trigger_rule == "none_failed_min_one_success"
    assert dag.get_task("train").trigger_rule == "all_success"


@pytest.mark.parametrize("schedule", ["0 2 * * *", None])
def test_data_that_arrives_starts_a_run_besides_the_schedule(tiny, manifests, schedule):
    arrivals = {"folder": "", "complete": "marker", "settle_s": 600.0}
    (manifests / "tiny.json").write_text(json.dumps(tiny | {"schedule": schedule, "arrivals": arrivals}))

    dag = build(manifests / "tiny.json")
    received = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))

    (asset,) = (each for _, each in received.timetable.asset_condition.iter_assets())
    assert asset.uri == "slipway://inbox/tiny"
    (watcher,) = asset.watchers
    assert watcher.trigger["kwargs"] | {"pipeline": "tiny"} == arrivals | {"pipeline": "tiny"}
    assert received.timetable.periodic == (schedule is not None)


def test_a_manifest_without_a_schedule_is_started_by_hand(tiny, manifests):
    tiny["schedule"] = None
    (manifests / "tiny.json").write_text(json.dumps(tiny))

    assert not build(manifests / "tiny.json").timetable.can_be_scheduled
