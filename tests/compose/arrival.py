"""A day of data that arrives in the inbox, a folder of this machine, starts a run that learns from it."""

import datetime
import json
import os
import shutil
from pathlib import Path

PIPELINE, DAG = "digits_nightly", "train_digits_nightly"
TODAY = str(datetime.datetime.now(datetime.timezone.utc).date())


def runs(stack):
    return stack.airflow("GET", f"/api/v2/dags/{DAG}/dagRuns").json()["dag_runs"]


def test_a_day_that_arrives_starts_a_run_that_learns_from_it(stack):
    inbox = Path(os.environ["SLIPWAY_INBOX"], PIPELINE)
    (first,) = inbox.iterdir()
    assert runs(stack) == []

    shutil.copytree(first, inbox / f"_{TODAY}")  # nobody's data before it has its name
    (inbox / f"_{TODAY}").rename(inbox / TODAY)

    (run,) = stack.wait_for(lambda: runs(stack), 120)
    stack.wait_until(DAG, run["dag_run_id"], "ingest", "success")
    folder = f"/var/lib/slipway/pipelines/{PIPELINE}/runs/{run['dag_run_id']}"
    spans = json.loads(stack.compose("exec", "-T", "ml-worker", "cat", f"{folder}/spans.json"))
    assert spans["spans"] == [first.name, TODAY]
    stack.airflow("PATCH", f"/api/v2/dags/{DAG}/dagRuns/{run['dag_run_id']}", json={"state": "failed"})
