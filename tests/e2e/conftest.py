import json
import os
import shutil
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from tenacity import Retrying, retry_if_not_result, stop_after_delay, wait_fixed

PROJECT = Path(__file__).resolve().parents[2]
DEADLINE_S = 600


class RunningStack:
    """A stack of its own: private state folder, free ports, driven by the same commands as a person's."""

    def __init__(self, home):
        self.home = home
        manifests = self._without_schedule(home.with_name(f"{home.name}-manifests"))
        self.configs = home.with_name(f"{home.name}-configs")
        shutil.copytree(PROJECT / "pipelines/configs", self.configs)
        ports = self._free_ports(4)
        self.environment = {
            **{
                name: value
                for name, value in os.environ.items()
                if not name.startswith(("SLIPWAY_", "MLFLOW_"))
            },
            "SLIPWAY_HOME": str(home),
            "SLIPWAY_CONFIGS": str(self.configs),
            "SLIPWAY_MANIFESTS": str(manifests),
            "SLIPWAY_AIRFLOW_PORT": str(ports[0]),
            "SLIPWAY_MLFLOW_PORT": str(ports[1]),
            "SLIPWAY_GRPC_PORT": str(ports[2]),
            "SLIPWAY_REST_PORT": str(ports[3]),
            "NO_COLOR": "1",
            "COLUMNS": "200",
        }
        self.airflow_url, self.mlflow_url = (f"http://127.0.0.1:{port}" for port in ports[:2])
        self.grpc_target, self.rest_url = f"127.0.0.1:{ports[2]}", f"http://127.0.0.1:{ports[3]}"

    @staticmethod
    def _without_schedule(folder):
        """Copies the manifests: whatever the time of day, only what a test triggers runs."""
        folder.mkdir()
        for path in (PROJECT / "pipelines/manifests").glob("*.json"):
            manifest = json.loads(path.read_text()) | {"schedule": None}
            (folder / path.name).write_text(json.dumps(manifest))
        return folder

    def compile(self, name):
        """Compiles a new pipeline; the others stay without a schedule."""
        manifests = Path(self.environment["SLIPWAY_MANIFESTS"])
        before = {path: path.read_bytes() for path in manifests.glob("*.json")}
        done = self.slipway("compile")
        assert done.returncode == 0, done.stderr
        for path, content in before.items():
            if path.stem != name:
                path.write_bytes(content)

    @contextmanager
    def configured(self, old, new):
        """Changes the configuration of digits for the runs that start inside."""
        path = self.configs / "digits.yaml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
        try:
            yield
        finally:
            path.write_text(text)

    @staticmethod
    def _free_ports(count):
        sockets = [socket.socket() for _ in range(count)]
        try:
            for each in sockets:
                each.bind(("127.0.0.1", 0))
            return [each.getsockname()[1] for each in sockets]
        finally:
            for each in sockets:
                each.close()

    def command(self, *arguments, timeout=DEADLINE_S):
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=PROJECT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def slipway(self, *arguments):
        return self.command("-m", "cli.main", *arguments)

    @property
    def password(self):
        return json.loads((self.home / "secrets/airflow-passwords.json").read_text())["admin"]

    def airflow(self):
        client = httpx.Client(base_url=self.airflow_url, timeout=30, trust_env=False)
        login = {"username": "admin", "password": self.password}
        token = client.post("/auth/token", json=login).raise_for_status().json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        return client

    @staticmethod
    def wait_for(condition, deadline_s=DEADLINE_S):
        holds = retry_if_not_result(bool)
        return Retrying(retry=holds, wait=wait_fixed(0.5), stop=stop_after_delay(deadline_s))(condition)

    def trigger(self, dag_id, conf):
        path = f"/api/v2/dags/{dag_id}/dagRuns"
        answer = self.airflow().post(path, json={"logical_date": None, "conf": conf}).raise_for_status()
        return answer.json()["dag_run_id"]

    def tasks(self, dag_id, run_id):
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances"
        found = self.airflow().get(path).raise_for_status().json()["task_instances"]
        return {task["task_id"]: task for task in found}

    def wait(self, dag_id, run_id):
        client = self.airflow()

        def ended():
            state = client.get(f"/api/v2/dags/{dag_id}/dagRuns/{run_id}").raise_for_status().json()["state"]
            return state if state in ("success", "failed") else None

        return self.wait_for(ended)

    def log(self, dag_id, run_id, task_id):
        attempt = self.tasks(dag_id, run_id)[task_id]["try_number"]
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{attempt}"
        return self.airflow().get(path, headers={"Accept": "application/x-ndjson"}).text

    def run_folder(self, run_id):
        return self.home / "pipelines/digits/runs" / run_id

    def newest_run(self):
        runs = (self.home / "pipelines/digits/runs").iterdir()
        return max(runs, key=lambda path: path.stat().st_mtime).name

    def stable(self):
        from serving.release import models_config

        config = models_config.read(self.home / "models/models.config")
        return models_config.served(config)["digits"].labels["stable"]


@pytest.fixture(scope="session")
def stack(tmp_path_factory):
    running = RunningStack(tmp_path_factory.mktemp("slipway"))
    up = running.command("-m", "deploy.local", "up")
    try:
        assert up.returncode == 0, up.stdout + up.stderr
        yield running
    finally:
        down = running.command("-m", "deploy.local", "down")
    assert down.returncode == 0, down.stdout + down.stderr


@pytest.fixture(scope="session")
def first_run(stack):
    """One whole run, triggered from the command line through Airflow; returns its run id."""
    done = stack.slipway("trigger", "digits", "--wait")
    assert done.returncode == 0, done.stdout + done.stderr
    return stack.newest_run()
