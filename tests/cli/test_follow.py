"""What `slipway trigger` does while it waits, with an Airflow that answers as a test says."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from cli import runs
from contract.addresses import HOST
from contract.errors import UnavailableError
from deploy.local.airflow.client import AirflowClient
from deploy.local.credentials import load_or_create
from deploy.local.settings import Stack

DAG, RUN = "train_digits", "R"


def task(name, state, try_number=1):
    started = None if state is None else "2026-01-01T00:00:00Z"
    return {
        "task_id": name,
        "state": state,
        "start_date": started,
        "duration": 1.0,
        "try_number": try_number,
    }


@pytest.fixture
def airflow(tmp_path, monkeypatch):
    """A client of an Airflow whose answers to each path come one after the other, the last one again and again."""
    answers = {}

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self):
            self.tell(201, {"access_token": "T"})

        def do_GET(self):
            left = answers[self.path.partition("?")[0]]
            self.tell(200, left.pop(0) if len(left) > 1 else left[0])

        def tell(self, status, content):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(content).encode())

        def log_message(self, *arguments):
            pass

    monkeypatch.setattr(runs, "POLL_S", 0.01)
    with HTTPServer((HOST, 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        stack = Stack(tmp_path, airflow_port=server.server_port)
        load_or_create(stack.secrets)
        yield AirflowClient(stack), answers
        server.shutdown()


def test_a_run_is_followed_to_its_end_and_each_state_of_a_task_is_said_once(airflow, capsys):
    client, answers = airflow
    path = f"/api/v2/dags/{DAG}/dagRuns/{RUN}"
    answers[path] = [{"state": "queued"}, {"state": "running"}, {"state": "running"}, {"state": "success"}]
    answers[f"{path}/taskInstances"] = [
        {"task_instances": [task("prepare", "queued")]},
        {"task_instances": [task("prepare", "running")]},
        {"task_instances": [task("prepare", "running")]},
        {"task_instances": [task("prepare", "success"), task("ingest", None)]},
    ]

    assert runs.follow(client, DAG, RUN) == "success"

    said = [line.split(" ", 1)[1] for line in capsys.readouterr().out.splitlines()]
    assert said == ["prepare: running", "prepare: success (1.0 s)"]


def test_leaving_a_run_that_is_followed_says_where_it_goes_on(airflow, capsys, monkeypatch):
    client, _ = airflow

    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(client, "state", interrupt)

    with pytest.raises(SystemExit) as ended:
        runs.follow(client, DAG, RUN)

    assert ended.value.code == 130
    assert f"The run goes on: {client.run_url(DAG, RUN)}" in capsys.readouterr().out


def test_a_new_dag_is_waited_for(airflow):
    client, answers = airflow
    answers["/api/v2/dags"] = [{"dags": []}, {"dags": [{"dag_id": DAG}]}]

    runs._wait_for_dag(client, DAG)

    assert answers["/api/v2/dags"] == [{"dags": [{"dag_id": DAG}]}]


def test_a_dag_that_does_not_come_is_missed_with_where_to_look(airflow, monkeypatch):
    client, answers = airflow
    answers["/api/v2/dags"] = [{"dags": []}]
    monkeypatch.setattr(runs, "PARSE_TIMEOUT_S", 0.05)

    with pytest.raises(UnavailableError, match=r"Expected the DAG train_digits .* import errors"):
        runs._wait_for_dag(client, DAG)
