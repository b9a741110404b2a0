"""Promotions as people make them: in MLflow, on the command line, and after something was lost."""

import shutil

import pytest
from mlflow import MlflowClient

from serving.client import Client

pytestmark = pytest.mark.e2e

MODEL = "digits"


@pytest.fixture(scope="module")
def registry(stack):
    return MlflowClient(tracking_uri=stack.mlflow_url)


@pytest.fixture(scope="module")
def two_versions(stack, first_run, registry):
    """Two versions that differ, the second one live; returns their numbers, the live one last."""
    been_live = [
        int(version.version)
        for version in registry.search_model_versions(f"name = '{MODEL}'")
        if "slipway.promoted_at" in version.tags
    ]
    if len(been_live) < 2:
        trained = stack.slipway("run", MODEL, "--set", "train.learning_rate=0.006")
        assert trained.returncode == 0, trained.stdout + trained.stderr
        been_live.append(stack.stable())
    older, newer = min(been_live), max(been_live)
    for version in (older, newer):
        promoted = stack.slipway("promote", MODEL, str(version))
        assert promoted.returncode == 0, promoted.stderr
    return older, newer


def releases(stack):
    answer = stack.airflow().get("/api/v2/dags/release/dagRuns").raise_for_status().json()
    return [run["dag_run_id"] for run in answer["dag_runs"]]


def test_moving_the_alias_in_mlflow_is_a_release_and_is_told_of_once(stack, two_versions, registry):
    older, newer = two_versions
    before = releases(stack)
    with Client(stack.grpc_target) as client:
        registry.set_registered_model_alias(MODEL, "champion", str(older))
        stack.wait_for(lambda: client.labelled(MODEL, "stable") == older, 60)
        stack.wait_for(lambda: len(releases(stack)) == len(before) + 1, 60)
        (run_id,) = set(releases(stack)) - set(before)
        assert stack.wait("release", run_id) == "success"
        tags = registry.get_model_version(MODEL, str(newer)).tags
        assert tags["slipway.rolled_back_to"] == str(older)

        promoted = stack.slipway("promote", MODEL, str(newer))
        assert promoted.returncode == 0, promoted.stderr
        assert client.labelled(MODEL, "stable") == newer
    # The next move starts the next run: had the command started one, there would be two.
    registry.set_registered_model_alias(MODEL, "champion", str(older))
    stack.wait_for(lambda: len(releases(stack)) > len(before) + 1, 60)
    (again,) = set(releases(stack)) - set(before) - {run_id}
    assert stack.wait("release", again) == "success"
    assert len(releases(stack)) == len(before) + 2
    assert stack.slipway("rollback", MODEL).returncode == 0
    assert stack.stable() == newer


def test_an_alias_on_what_cannot_be_served_goes_back_and_the_release_is_red(stack, two_versions, registry):
    _, live = two_versions
    version = registry.get_model_version(MODEL, str(live))
    theirs = registry.create_model_version(
        MODEL,
        version.source,
        tags={"slipway.saved_model_sha256": "0" * 64},
        model_id=version.source.removeprefix("models:/"),
    )
    before = releases(stack)
    registry.set_registered_model_alias(MODEL, "champion", theirs.version)
    stack.wait_for(lambda: len(releases(stack)) > len(before), 60)
    (run_id,) = set(releases(stack)) - set(before)
    assert stack.wait("release", run_id) == "failed"
    assert registry.get_model_version_by_alias(MODEL, "champion").version == str(live)
    reason = registry.get_model_version(MODEL, theirs.version).tags["slipway.not_served"]
    assert "are not those that were registered" in reason
    assert stack.stable() == live


def test_wiped_models_are_missing_in_the_status_and_reconcile_restores_them(stack, two_versions):
    _, live = two_versions
    shutil.rmtree(stack.home / "models" / MODEL)
    status = stack.slipway("status")
    assert status.returncode == 1
    assert f"the files of version {live} are missing" in status.stdout
    restored = stack.slipway("reconcile")
    assert restored.returncode == 0, restored.stderr
    assert stack.slipway("status").returncode == 0
    assert stack.stable() == live


def test_lineage_says_where_a_version_comes_from_and_who_promoted_it(stack, two_versions, first_run):
    older, _ = two_versions
    said = stack.slipway("lineage", MODEL, str(older))
    assert said.returncode == 0, said.stderr
    for part in (first_run, "data digest", "metric accuracy", "promoted"):
        assert part in said.stdout
