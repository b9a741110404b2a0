"""Asks each service of the stack whether it works. Changes nothing."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable
from typing import NamedTuple

from contract import worker_protocol
from contract.addresses import HOST
from deploy.local.settings import Stack
from deploy.local.supervision.supervision import socket_path
from deploy.local.supervision.supervisor_client import SupervisorClient

TIMEOUT_S = 5
WORKER_TIMEOUT_S = 1  # it says nothing at all while it loads, which takes a while
RUNNING = "RUNNING"  # supervisord's word
AIRFLOW_PARTS = {
    "scheduler": ("Airflow scheduler", "airflow-scheduler"),
    "dag_processor": ("Airflow DAG processor", "airflow-dag-processor"),
    "triggerer": ("Airflow triggerer", "airflow-triggerer"),
}


class ServiceState(NamedTuple):
    """What one service answers: its name for people, its program, whether it works, and what it said."""

    service: str
    program: str
    healthy: bool
    detail: str


def health(stack: Stack) -> list[ServiceState]:
    """The state of every service; a program without a port of its own is listed while supervisord runs."""
    answers = [
        *_airflow(stack),
        _answers("MLflow", "mlflow", lambda: _http_ok(stack.mlflow_port, "/health")),
        _answers("model server, gRPC", "model-server", lambda: _accepts(stack.grpc_port)),
        _answers("model server, REST", "model-server", lambda: _accepts(stack.rest_port)),
        _answers(
            "ML worker", "ml-worker", lambda: worker_protocol.check(stack.worker_socket, WORKER_TIMEOUT_S)
        ),
    ]
    asked = {state.program for state in answers}
    silent = {name: state for name, state in program_states(stack).items() if name not in asked}
    return answers + [
        ServiceState(name, name, state == RUNNING, state.lower()) for name, state in silent.items()
    ]


def program_states(stack: Stack) -> dict[str, str]:
    """What supervisord says about each program; empty when it does not run."""
    client = SupervisorClient(socket_path(stack))
    return client.states() if client.pid() else {}


def _airflow(stack: Stack) -> list[ServiceState]:
    try:
        parts = json.loads(_get(stack.airflow_port, "/api/v2/monitor/health"))
        api = ServiceState("Airflow API", "airflow-api-server", True, "answers")
    except (OSError, http.client.HTTPException, ValueError) as error:
        parts = {}
        api = ServiceState("Airflow API", "airflow-api-server", False, f"no answer: {error}")
    return [api, *(_airflow_part(name, parts) for name in AIRFLOW_PARTS)]


def _airflow_part(name: str, parts: dict[str, dict[str, str]]) -> ServiceState:
    service, program = AIRFLOW_PARTS[name]
    status = parts.get(name, {}).get("status") or "no heartbeat"
    return ServiceState(service, program, status == "healthy", status)


def _answers(service: str, program: str, question: Callable[[], None]) -> ServiceState:
    try:
        question()
    except (OSError, http.client.HTTPException) as error:
        return ServiceState(service, program, False, f"no answer: {error}")
    return ServiceState(service, program, True, "answers")


def _accepts(port: int) -> None:
    socket.create_connection((HOST, port), timeout=TIMEOUT_S).close()


def _http_ok(port: int, path: str) -> None:
    _get(port, path)


def _get(port: int, path: str) -> bytes:
    """One GET on the loopback interface. Not urllib's opener, which asks the proxy of the environment."""
    connection = http.client.HTTPConnection(HOST, port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise http.client.HTTPException(f"status {answer.status} from {path}")
    return body
