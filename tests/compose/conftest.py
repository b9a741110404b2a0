"""The stack that `make test-compose` has brought up, as a person meets it: by its ports and by `docker`."""

import json
import os
import subprocess
from pathlib import Path

import httpx
import pytest
from mlflow import MlflowClient
from tenacity import Retrying, retry_if_exception_type, retry_if_not_result, stop_after_delay, wait_fixed

from serving.client import Client

DEADLINE_S = 600
ENDED = ("success", "failed")


class Stack:
    """Airflow, MLflow and the model server behind their published ports, and the containers behind those."""

    def __init__(self):
        self.folder = Path.cwd()  # the copy of the project that it was started in
        self.airflow_url, self.mlflow_url, self.rest_url = (
            f"http://127.0.0.1:{os.environ[f'SLIPWAY_{name}_PORT']}" for name in ("AIRFLOW", "MLFLOW", "REST")
        )
        self.grpc_target = f"127.0.0.1:{os.environ['SLIPWAY_GRPC_PORT']}"
        self.mlflow = MlflowClient(tracking_uri=self.mlflow_url)
        self._http = None

    @staticmethod
    def docker(*arguments, check=True):
        """Runs `docker`; returns what it said, on both streams."""
        command = ["docker", *arguments]
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        assert done.returncode == 0 or not check, done.stdout
        return done.stdout

    def compose(self, *arguments):
        return self.docker("compose", *arguments)

    def container(self, service):
        return self.compose("ps", "--quiet", service).split()[0]

    def inspect(self, service):
        return json.loads(self.docker("inspect", self.container(service)))[0]

    def kill(self, service):
        """Kills what the container runs, as the kernel does that is out of memory: nobody has asked for its end.

        After `docker kill` Docker would take it for stopped by a person, and leave it.
        """
        pid = str(self.inspect(service)["State"]["Pid"])
        daemon = ["nsenter", "--target", os.environ["SLIPWAY_DOCKERD_PID"], "--pid", "--mount"]
        before = self.inspect(service)["RestartCount"]
        subprocess.run([*daemon, "kill", "-KILL", pid], check=True)
        self.wait_for(lambda: self.inspect(service)["RestartCount"] > before, 60)

    def airflow(self, method, path, **options):
        """Calls Airflow's REST API, signed in as `admin`; through restarts of whatever is behind it."""
        patient = Retrying(
            retry=retry_if_exception_type((httpx.TransportError, httpx.HTTPStatusError)),
            wait=wait_fixed(1),
            stop=stop_after_delay(180),
            reraise=True,
        )
        return patient(self._airflow, method, path, **options)

    def _airflow(self, method, path, **options):
        if self._http is None:
            password = json.loads((self.folder / "secrets/airflow_passwords.json").read_text())["admin"]
            http = httpx.Client(base_url=self.airflow_url, timeout=30, trust_env=False)
            login = {"username": "admin", "password": password}
            token = http.post("/auth/token", json=login).raise_for_status().json()["access_token"]
            http.headers["Authorization"] = f"Bearer {token}"
            self._http = http
        answer = self._http.request(method, path, **options)
        assert answer.status_code not in (400, 404, 422), answer.text
        return answer.raise_for_status()

    @staticmethod
    def wait_for(condition, deadline_s=DEADLINE_S):
        holds = retry_if_not_result(bool)
        return Retrying(retry=holds, wait=wait_fixed(1), stop=stop_after_delay(deadline_s))(condition)

    def trigger(self, dag_id, **conf):
        values = {name.replace("__", "."): value for name, value in conf.items()}
        body = {"logical_date": None, "conf": values}
        return self.airflow("POST", f"/api/v2/dags/{dag_id}/dagRuns", json=body).json()["dag_run_id"]

    def state(self, dag_id, run_id):
        return self.airflow("GET", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}").json()["state"]

    def tasks(self, dag_id, run_id):
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances"
        return {task["task_id"]: task for task in self.airflow("GET", path).json()["task_instances"]}

    def states(self, dag_id, run_id):
        return {name: task["state"] for name, task in self.tasks(dag_id, run_id).items()}

    def wait_until(self, dag_id, run_id, task_id, *states):
        """Waits until a task is in one of some states; a run that ends before is told at once."""

        def there():
            found = self.states(dag_id, run_id).get(task_id)
            assert found in states or self.state(dag_id, run_id) not in ENDED, self.story(dag_id, run_id)
            return found in states

        self.wait_for(there)

    def wait(self, dag_id, run_id):
        """Waits for the end of a run; returns its state."""
        return self.wait_for(lambda: (state := self.state(dag_id, run_id)) in ENDED and state)

    def ends_green(self, dag_id, run_id):
        """Asserts that a run ends as succeeded; else with what its tasks said."""
        assert self.wait(dag_id, run_id) == "success", self.story(dag_id, run_id)

    def log(self, dag_id, run_id, task_id, attempt):
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{attempt}"
        text = self.airflow("GET", path, headers={"Accept": "application/x-ndjson"}).text
        return "\n".join(str(json.loads(line).get("event", "")) for line in text.splitlines() if line.strip())

    def story(self, dag_id, run_id):
        """The states of a run's tasks, and the last words of those that failed or were tried again."""
        lines = []
        for name, task in self.tasks(dag_id, run_id).items():
            lines.append(f"{name}: {task['state']} after {task['try_number']} tries, {task['duration']} s")
            if task["state"] in ("failed", "up_for_retry") or (task["try_number"] or 0) > 1:
                for attempt in range(1, (task["try_number"] or 0) + 1):
                    lines.append(f"--- try {attempt}:\n{self.log(dag_id, run_id, name, attempt)[-2000:]}")
        return "\n".join(lines)

    def results(self, pipeline, run_id):
        """What each node left in the run's folder."""
        folder = f"/var/lib/slipway/pipelines/{pipeline}/runs/{run_id}/nodes"
        code = "import json, pathlib, sys; print(json.dumps({path.stem: json.loads(path.read_text()) "
        code += "for path in pathlib.Path(sys.argv[1]).glob('*.json')}))"
        return json.loads(self.compose("exec", "-T", "ml-worker", "python", "-c", code, folder))

    def stable(self, model):
        """Which version answers behind the label `stable`."""
        with Client(self.grpc_target) as client:
            return client.labelled(model, "stable")


@pytest.fixture(scope="session")
def stack():
    return Stack()


@pytest.fixture(scope="session")
def digits_run(stack):
    """One whole run of digits through Airflow's API and Celery; returns its id."""
    run_id = stack.trigger("train_digits")
    stack.ends_green("train_digits", run_id)
    return run_id
