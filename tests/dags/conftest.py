"""One throw-away Airflow for these tests, configured before anything imports it, and a fake ML side."""

import atexit
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]
AIRFLOW_HOME = Path(tempfile.mkdtemp(prefix="slipway-airflow-"))
atexit.register(shutil.rmtree, AIRFLOW_HOME, ignore_errors=True)

for name in [name for name in os.environ if name.startswith(("AIRFLOW", "SLIPWAY_"))]:
    del os.environ[name]
os.environ.update(
    AIRFLOW_HOME=str(AIRFLOW_HOME),
    AIRFLOW__CORE__DAGS_FOLDER=str(PROJECT / "dags"),
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    AIRFLOW__API__BASE_URL="http://airflow.test",
    AIRFLOW__API_AUTH__JWT_SECRET="j" * 64,
    AIRFLOW__API__SECRET_KEY="s" * 64,
)


class FakeMl:
    """The ML side of the tests: a folder of state, and a script of what each node does."""

    def __init__(self, home: Path) -> None:
        self.home = home
        os.mkfifo(home / "started")

    def act(self, **nodes: dict) -> None:
        """Says what nodes do; see `fake_ml_python.py`."""
        (self.home / "script.json").write_text(json.dumps(nodes))

    def ran(self) -> list[str]:
        """The nodes that ran, in order."""
        record = self.home / "ran.txt"
        return record.read_text().split() if record.exists() else []

    def wait_until_hanging(self) -> list[int]:
        """Waits for a hanging node; returns its process id and that of its child."""
        return [int(pid) for pid in (self.home / "started").read_text().split()]

    def run_file(self, run_id: str, name: str) -> dict:
        """A file of the run's folder."""
        return json.loads((self.home / "pipelines" / "tiny" / "runs" / run_id / name).read_text())


@pytest.fixture
def tiny() -> dict:
    """The content of the test manifest."""
    return json.loads((HERE / "manifests" / "tiny.json").read_text())


@pytest.fixture
def manifests(tmp_path, monkeypatch) -> Path:
    """An empty folder of manifests, which the DAG files read."""
    folder = tmp_path / "manifests"
    folder.mkdir()
    monkeypatch.setenv("SLIPWAY_MANIFESTS", str(folder))
    return folder


@pytest.fixture
def ml(tmp_path, monkeypatch) -> FakeMl:
    """The fake ML side, in force."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("SLIPWAY_HOME", str(home))
    python = home / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -S {HERE / "fake_ml_python.py"} "$@"\n')
    python.chmod(0o755)
    monkeypatch.setenv("SLIPWAY_ML_PYTHON", str(python))
    return FakeMl(home)
