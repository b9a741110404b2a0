import json

import pytest
from airflow.sdk.exceptions import AirflowFailException

from dags.operators.release import follow_request, form_request


def test_a_promotion_ends_with_what_is_served(run_dag, ml):
    ml.act(release={"say": ["staging tiny 3", '{"tiny": {"stable": 3}}']})

    ran = run_dag("release", {"model": "tiny", "action": "promote", "version": 3})

    assert ran.states == {"reconcile": "success"}
    assert ran.xcoms["reconcile", "return_value"] == {"tiny": {"stable": 3}}


@pytest.mark.parametrize(
    ("conf", "command"),
    [
        ({"action": "promote", "version": 3}, "--action promote --model tiny --version 3"),
        ({"action": "rollback"}, "--action rollback --model tiny"),
        ({"action": "reconcile"}, "--action reconcile --model tiny"),
        ({"action": "reconcile", "model": None}, "--action reconcile"),
    ],
)
def test_the_form_becomes_a_command_line_that_says_who_asked(run_dag, ml, conf, command):
    said = run_dag("release", conf).xcoms["reconcile", "return_value"]["last_line"]

    assert said == f"release -m serving.release {command} --by dag_test"


@pytest.fixture
def moved(database, monkeypatch):
    """Makes the next DAG run one that the trigger started: it consumes `first`, the other event came later."""

    def start(first, before_the_start):
        def create(**arguments):
            from airflow.models.asset import AssetEvent, AssetModel
            from airflow.utils.types import DagRunType

            run, session = real(**arguments), arguments["session"]
            asset = session.scalar(sqlalchemy.select(AssetModel).where(AssetModel.name == "mlflow_champions"))
            events = [
                AssetEvent(asset_id=asset.id, extra={"from_trigger": True, "payload": payload})
                for payload in (first, before_the_start)
            ]
            session.add_all(events)
            run.run_type = DagRunType.ASSET_TRIGGERED
            run.consumed_asset_events.append(events[0])
            session.commit()
            return run

        import sqlalchemy
        from airflow.models import dagrun

        real = dagrun.get_or_create_dagrun
        monkeypatch.setattr(dagrun, "get_or_create_dagrun", create)

    return start


def event(payload):
    """The extra of an asset event, as Airflow writes what a trigger says."""
    return {"from_trigger": True, "payload": payload}


@pytest.mark.parametrize(
    ("extras", "models"),
    [
        ([event({"model": "tiny", "version": "3"})], ["--model", "tiny"]),
        (
            [event({"model": "b", "version": "2"}), event({"model": "a", "version": "1"})],
            ["--model", "a", "--model", "b"],
        ),
        ([event({"model": "a", "version": "2"}), event({"model": "a", "version": "3"})], ["--model", "a"]),
        ([event({"model": "a", "version": "2"}), {}], []),
        ([event("whatever")], []),
        ([], []),
    ],
)
def test_moved_aliases_become_a_command_line_that_names_each_model_once(extras, models):
    assert follow_request(extras).arguments() == ["--action", "reconcile", *models, "--by", "MLflow"]


def test_a_run_that_a_moved_alias_started_also_sees_what_moved_before_it_started(run_dag, moved):
    moved(first={"model": "b", "version": "2"}, before_the_start={"model": "a", "version": "3"})

    said = run_dag("release").xcoms["reconcile", "return_value"]["last_line"]

    assert said == "release -m serving.release --action reconcile --model a --model b --by MLflow"


@pytest.mark.parametrize("action", ["promote", "rollback"])
def test_only_a_reconciliation_goes_without_a_model(action):
    with pytest.raises(AirflowFailException, match=f"To {action}, say which model"):
        form_request({"action": action, "model": None, "version": 3}, by="")


def test_a_release_that_may_pass_another_time_is_tried_again(run_dag, ml):
    ml.act(release={"exits": [75, 0]})

    assert run_dag("release", {"version": 3}).state == "success"
    assert ml.ran() == ["release", "release"]


def test_a_promotion_without_a_version_fails_before_anything_runs(run_dag, ml, capfd):
    ran = run_dag("release", {"action": "promote"})

    assert ran.states == {"reconcile": "failed"}
    assert ml.ran() == []
    assert "To promote, say which version" in capfd.readouterr().out


def test_a_failed_release_says_the_last_words(run_dag, ml, capfd):
    ml.act(release={"say": ["tiny 3 is not served; everything was put back", ""], "exit": 78})

    assert run_dag("release", {"version": 3}).state == "failed"
    assert "failed with exit code 78: tiny 3 is not served" in capfd.readouterr().out


def test_mlflows_credentials_reach_the_release_and_no_log(run_dag, ml, monkeypatch, capfd):
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ada")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "pa55word")
    ml.act(release={"dump_environment": True})

    run_dag("release", {"action": "reconcile"})

    crossed = json.loads((ml.home / "environment.json").read_text())
    assert {"ada", "pa55word"} < set(crossed.values())
    said = capfd.readouterr()
    assert "pa55word" not in said.out + said.err
