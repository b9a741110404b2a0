"""What the client makes of Airflow's answers; the real Airflow answers in the end-to-end tests."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from contract.addresses import HOST
from contract.errors import SettingsError, SlipwayError, UnavailableError
from contract.manifest import GPU_POOL
from deploy.local.airflow.client import AirflowClient
from deploy.local.credentials import load_or_create


@pytest.fixture
def airflow(prepared):
    """An Airflow that signs anybody in and answers each later call with the status that a test sets."""
    load_or_create(prepared.secrets)
    calls = []

    class Answer(BaseHTTPRequestHandler):
        status = 201

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            calls.append((self.path, body, self.headers["Authorization"]))
            signing_in = self.path == "/auth/token"
            self.send_response(201 if signing_in else self.status)
            self.end_headers()
            self.wfile.write(json.dumps({"access_token": "T", "detail": "so says Airflow"}).encode())

        def log_message(self, *arguments):
            pass

    with HTTPServer((HOST, prepared.airflow_port), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield prepared, Answer, calls
        server.shutdown()


@pytest.mark.parametrize("status", [201, 409])
def test_a_pool_is_made_or_is_there_already(airflow, status):
    stack, answer, calls = airflow
    answer.status = status

    AirflowClient(stack).ensure_pool(*GPU_POOL)

    path, body, authorization = calls[-1]
    assert (path, authorization) == ("/api/v2/pools", "Bearer T")
    assert body == {
        "name": "gpu",
        "slots": 1,
        "description": GPU_POOL.description,
        "include_deferred": False,
    }


@pytest.mark.parametrize(
    ("status", "error"), [(422, SettingsError), (403, SlipwayError), (500, SlipwayError)]
)
def test_another_answer_ends_with_what_was_asked_and_what_airflow_said(airflow, status, error):
    stack, answer, _ = airflow
    answer.status = status

    with pytest.raises(error, match=r"POST /api/v2/pools.*so says Airflow"):
        AirflowClient(stack).ensure_pool(*GPU_POOL)


def test_a_stack_that_was_never_started_has_no_airflow_to_sign_in_to(stack):
    with pytest.raises(UnavailableError, match=r"(?s)no stack was ever started in .*make up"):
        AirflowClient(stack)
