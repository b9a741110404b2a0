"""Airflow's REST API, as far as Slipway uses it. HTTP only; Airflow itself is not imported."""

import json
from collections.abc import Mapping
from typing import Any

import httpx

from contract.errors import SettingsError, SlipwayError, UnavailableError
from deploy.local import credentials
from deploy.local.settings import Stack

FINISHED = ("success", "failed")


class AirflowClient:
    """Signed in as the stack's admin.

    Args:
        stack: Whose Airflow.

    Raises:
        UnavailableError: If Airflow does not answer.
    """

    def __init__(self, stack: Stack) -> None:
        self.url = stack.airflow_url
        # The password is for this machine alone: a proxy that the environment names must not hear it.
        self.http = httpx.Client(base_url=self.url, timeout=30, trust_env=False)
        try:
            password = credentials.admin_password(stack.secrets)
        except FileNotFoundError as error:
            raise UnavailableError(
                f"Expected Airflow at {self.url}, and no stack was ever started in {stack.home}. "
                "Start it with `make up`."
            ) from error
        login = {"username": credentials.ADMIN, "password": password}
        token = self._call("POST", "/auth/token", json=login)["access_token"]
        self.http.headers["Authorization"] = f"Bearer {token}"

    def _send(self, method: str, path: str, *, fine: int | None = None, **options: Any) -> httpx.Response:
        """Returns the answer to a call; `fine` is an error status that is none here."""
        try:
            response = self.http.request(method, path, **options)
        except httpx.TransportError as error:
            raise UnavailableError(
                f"Expected Airflow at {self.url}, and it does not answer ({error}). Start it with `make up`."
            ) from error
        if response.status_code == fine:
            return response
        if response.status_code in (400, 404, 409, 422):
            raise SettingsError(f"Airflow refused {method} {path}: {_detail(response)}")
        if response.is_error:
            raise SlipwayError(
                f"Airflow answered {method} {path} with {response.status_code}: {_detail(response)}"
            )
        return response

    def _call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        return dict(self._send(method, path, **options).json())

    def ensure_pool(self, name: str, slots: int, description: str) -> None:
        """Creates a pool; one that exists keeps the slots that a person gave it."""
        pool = {"name": name, "slots": slots, "description": description, "include_deferred": False}
        self._send("POST", "/api/v2/pools", json=pool, fine=httpx.codes.CONFLICT)

    def has_dag(self, dag_id: str) -> bool:
        """Returns whether Airflow has parsed a DAG of this id."""
        found = self._call("GET", "/api/v2/dags", params={"dag_id_pattern": dag_id, "limit": 1000})
        return any(dag["dag_id"] == dag_id for dag in found["dags"])

    def trigger(self, dag_id: str, conf: Mapping[str, Any]) -> str:
        """Starts a run with form values, as a person would; returns the run id.

        Raises:
            SettingsError: If the DAG does not exist or refuses a value.
        """
        body = {"logical_date": None, "conf": dict(conf)}
        return str(self._call("POST", f"/api/v2/dags/{dag_id}/dagRuns", json=body)["dag_run_id"])

    def state(self, dag_id: str, run_id: str) -> str:
        """Returns the state of a run: queued, running, success or failed."""
        return str(self._call("GET", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}")["state"])

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """Returns the runs of a DAG, a hundred at most, newest first."""
        query = {"order_by": "-run_after", "limit": 100}
        return list(self._call("GET", f"/api/v2/dags/{dag_id}/dagRuns", params=query)["dag_runs"])

    def tasks(self, dag_id: str, run_id: str) -> dict[str, dict[str, Any]]:
        """Returns the task instances of a run by task id."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances"
        found = self._call("GET", path, params={"limit": 1000})["task_instances"]
        return {task["task_id"]: task for task in found}

    def log(self, dag_id: str, run_id: str, task_id: str, attempt: int) -> list[str]:
        """Returns the lines of a task's log."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{attempt}"
        text = self._send("GET", path, headers={"Accept": "application/x-ndjson"}).text
        return [str(json.loads(line).get("event", "")) for line in text.splitlines() if line.strip()]

    def run_url(self, dag_id: str, run_id: str) -> str:
        """Returns the page of a run."""
        return f"{self.url}/dags/{dag_id}/runs/{run_id}"


def _detail(response: httpx.Response) -> str:
    try:
        content = response.json()
    except ValueError:
        return response.text[:500]
    detail = content.get("detail", content) if isinstance(content, dict) else content
    return detail if isinstance(detail, str) else json.dumps(detail)
