"""Asks each service of the stack whether it works. Changes nothing."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple

import httpx

from contract import worker_protocol
from contract.addresses import HOST
from deploy.local.settings import Stack
from deploy.local.supervision.configuration import socket_path
from deploy.local.supervision.supervisor import SupervisorClient

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
    """Returns the state of every service; a program without a port of its own is listed while supervisord runs."""
    answers = [
        *_airflow(stack),
        _answers("MLflow", "mlflow", lambda: _get(f"{stack.mlflow_url}/health")),
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
    """Returns what supervisord says about each program; empty when it does not run."""
    client = SupervisorClient(socket_path(stack))
    return client.states() if client.pid() else {}


def _airflow(stack: Stack) -> list[ServiceState]:
    try:
        parts = _get(f"{stack.airflow_url}/api/v2/monitor/health").json()
        api = ServiceState("Airflow API", "airflow-api-server", True, "answers")
    except (httpx.HTTPError, ValueError) as error:
        parts = {}
        api = ServiceState("Airflow API", "airflow-api-server", False, f"no answer: {error}")
    return [api, *(_airflow_part(name, parts) for name in AIRFLOW_PARTS)]


def _airflow_part(name: str, parts: Mapping[str, Any]) -> ServiceState:
    service, program = AIRFLOW_PARTS[name]
    status = parts.get(name, {}).get("status") or "no heartbeat"
    return ServiceState(service, program, status == "healthy", status)


def _answers(service: str, program: str, question: Callable[[], object]) -> ServiceState:
    try:
        question()
    except (OSError, httpx.HTTPError) as error:
        return ServiceState(service, program, False, f"no answer: {error}")
    return ServiceState(service, program, True, "answers")


def _accepts(port: int) -> None:
    socket.create_connection((HOST, port), timeout=TIMEOUT_S).close()


def _get(url: str) -> httpx.Response:
    return _http().get(url).raise_for_status()


@cache
def _http() -> httpx.Client:
    """Returns a client that asks no proxy: all is on this machine. Kept, for making one costs more than asking."""
    return httpx.Client(timeout=TIMEOUT_S, trust_env=False)
