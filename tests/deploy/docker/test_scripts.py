"""The programs in deploy/docker/: the generator of secrets, the preparation of volumes, the health check."""

import base64
import json
import os
import socket
import subprocess
import sys
import sysconfig
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from pipelines.execution.worker.server import Server

PROJECT = Path(__file__).resolve().parents[3]
DOCKER = PROJECT / "deploy/docker"
PART = "dag_processor"


def run(script, *arguments, python=sys.executable, **environment):
    return subprocess.run(
        [str(python), str(DOCKER / script), *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(PROJECT), **environment},  # as in the images
        timeout=60,
    )


def content(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


@pytest.fixture
def secrets(tmp_path):
    done = run("make-secrets.py", tmp_path / "secrets")
    assert done.returncode == 0, done.stderr
    return tmp_path / "secrets"


def test_secrets_are_readable_by_the_services_in_a_folder_that_others_cannot_enter(secrets):
    assert secrets.stat().st_mode & 0o777 == 0o700
    files = [path for path in secrets.iterdir() if path.name != ".gitignore"]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o444}


def test_each_secret_has_the_form_that_its_service_wants(secrets):
    found = content(secrets)

    assert found.pop(".gitignore") == "*\n"
    assert len(base64.urlsafe_b64decode(found["airflow_fernet_key"])) == 32
    assert all(len(found[name]) >= 64 for name in ("airflow_api_secret_key", "airflow_jwt_secret"))
    assert len(json.loads(found.pop("airflow_passwords.json"))["admin"]) >= 16
    assert all(
        set(text) <= set(base64.b64encode(bytes(range(256))).decode() + "-_") for text in found.values()
    )
    assert len(set(found.values())) == len(found)


def test_a_second_run_keeps_what_is_there_makes_what_is_missing_and_shows_no_secret(secrets):
    before = content(secrets)
    (secrets / "redis_password").unlink()

    done = run("make-secrets.py", secrets)

    after = content(secrets)
    assert done.returncode == 0
    assert after.pop("redis_password") != before.pop("redis_password")
    assert after == before
    assert not any(text in done.stdout + done.stderr for text in after.values() if len(text) > 2)


@pytest.mark.parametrize("text", ["mine\n", "", " mine"])
def test_a_secret_that_no_service_would_understand_is_named(secrets, text):
    (secrets / "redis_password").unlink()
    (secrets / "redis_password").write_text(text)

    done = run("make-secrets.py", secrets)

    assert done.returncode == 1
    assert done.stderr.startswith(f"{secrets / 'redis_password'} must hold a secret and nothing else")
    assert (secrets / "redis_password").read_text() == text


@pytest.fixture
def airflow(tmp_path):
    """An environment whose `airflow` notes what it is asked and says that no pool exists, until one is made."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "python").symlink_to(sys.executable)
    (folder / "airflow").write_text(
        f'#!/bin/sh\necho "$*" >> {tmp_path}/calls\n'
        f'[ "$1 $2" != "pools get" ] || grep -q "pools set" {tmp_path}/calls\n'
    )
    (folder / "airflow").chmod(0o755)
    return folder / "python"


def initialise(airflow, tmp_path):
    home = tmp_path / "home"
    path = os.pathsep.join(
        [str(PROJECT), sysconfig.get_path("purelib")]
    )  # Airflow's environment has pydantic
    done = run("initialise.py", python=airflow, PYTHONPATH=path, SLIPWAY_HOME=str(home))
    assert done.returncode == 0, done.stderr
    return home, (tmp_path / "calls").read_text().splitlines()


def test_volumes_are_prepared_with_an_empty_list_of_models_tables_and_the_pool(airflow, tmp_path):
    home, calls = initialise(airflow, tmp_path)

    assert (home / "models/models.config").read_text() == "model_config_list {\n}\n"
    assert (home / "run").stat().st_mode & 0o777 == 0o700
    assert calls[:2] == ["db migrate", "pools get gpu"]
    assert calls[2].startswith("pools set gpu 1 ")


def test_preparing_again_changes_neither_models_nor_pool(airflow, tmp_path):
    home, _ = initialise(airflow, tmp_path)
    (home / "models/models.config").write_text("a fleet")

    _, calls = initialise(airflow, tmp_path)

    assert (home / "models/models.config").read_text() == "a fleet"
    assert len([call for call in calls if call.startswith("pools set")]) == 1


def test_preparing_volumes_needs_nothing_of_the_stack_on_one_machine():
    code = "import sys, deploy.docker.initialise; print([n for n in sys.modules if n.startswith('deploy.')])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True
    )

    assert "deploy.folders" in done.stdout
    assert "deploy.local" not in done.stdout


def test_a_database_that_is_not_ready_fails_the_preparation_which_says_what_to_do(airflow, tmp_path):
    airflow.with_name("airflow").write_text('#!/bin/sh\n[ "$1" != db ] || exit 3\n')

    path = os.pathsep.join([str(PROJECT), sysconfig.get_path("purelib")])
    done = run("initialise.py", python=airflow, PYTHONPATH=path, SLIPWAY_HOME=str(tmp_path))

    assert done.returncode == 1
    assert done.stderr.startswith(
        "Expected Airflow's database to be ready, and `db migrate` ended with exit code 3"
    )
    assert "docker compose logs postgres" in done.stderr


@pytest.fixture
def web():
    """A web server with a report on Airflow's parts; its address."""

    class Report(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/health" else 503)
            self.end_headers()
            self.wfile.write(
                json.dumps({PART: {"status": "healthy"}, "triggerer": {"status": None}}).encode()
            )

        def log_message(self, *arguments):
            pass

    with HTTPServer(("127.0.0.1", 0), Report) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    ("path", "part", "code"),
    [
        ("/health", [], 0),
        ("/health", [PART], 0),
        ("/health", ["triggerer"], 1),
        ("/health", ["x"], 1),
        ("/", [], 1),
    ],
)
def test_a_web_service_is_healthy_with_200_and_its_part_when_the_report_says_so(web, path, part, code):
    # A proxy that is not there: the check must not ask it.
    done = run("healthcheck.py", web + path, *part, http_proxy="http://127.0.0.1:9")

    assert done.returncode == code
    assert bool(done.stderr) == bool(code)


def test_a_service_that_is_not_there_is_not_healthy(tmp_path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/"

        assert run("healthcheck.py", url).returncode == 1
    assert run("healthcheck.py", tmp_path / "worker.sock").returncode == 1


def test_the_ml_worker_is_healthy_while_it_answers(tmp_path):
    with Server(tmp_path / "worker.sock") as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        alive = run("healthcheck.py", tmp_path / "worker.sock")
        server.shutdown()
        thread.join()
    gone = run("healthcheck.py", tmp_path / "worker.sock")

    assert (alive.returncode, alive.stderr) == (0, "")
    assert gone.returncode == 1
