"""A real MLflow server, and models in it that are gone after each test; and what Airflow does for a trigger."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

PROJECT = Path(__file__).parents[3]
UP = "Application startup complete"


class Store:
    """What Airflow keeps for a trigger, over its restarts: text."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        self._written = asyncio.Condition()

    async def aget(self, key: str) -> Any:
        return json.loads(self.kept[key]) if key in self.kept else None

    async def aset(self, key: str, value: Any) -> None:
        async with self._written:
            self.kept[key] = json.dumps(value)
            self._written.notify_all()

    async def until(self, key: str, holds: Callable[[Any], bool]) -> None:
        """Waits until what is kept under a key is as it should be; `None` before anything is."""
        async with self._written:
            await self._written.wait_for(lambda: holds(json.loads(self.kept.get(key, "null"))))

    def watched_by(self, trigger: Any) -> "Watching":
        """Lets a trigger run on what is kept."""
        return Watching(trigger, self)


class Watching:
    """A triggerer's life: the trigger runs until the block ends."""

    def __init__(self, trigger: Any, store: Store) -> None:
        self.trigger = trigger
        self.trigger.asset_state_store = store
        self.fired: asyncio.Queue[Any] = asyncio.Queue()

    async def __aenter__(self) -> "Watching":
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *error: object) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        async for event in self.trigger.run():
            self.fired.put_nowait(event.payload)

    async def next(self) -> Any:
        """What fires next; anything that should not have fired before it would come first."""
        waiting = asyncio.create_task(self.fired.get())
        await asyncio.wait({waiting, self._task}, return_when=asyncio.FIRST_COMPLETED, timeout=60)
        if self._task.done():
            self._task.result()
        return waiting.result()


@pytest.fixture
def store() -> Store:
    return Store()


class Mlflow:
    """A person at MLflow's REST API."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=f"{url}/api/2.0/mlflow", timeout=60, trust_env=False)
        self.url = url
        self.models: list[str] = []

    def add(self, name: str, versions: int = 2, **tags: str) -> None:
        """Registers a model; tags are those of Slipway, without `slipway.`."""
        self.models.append(name)
        said = [{"key": f"slipway.{key}", "value": value} for key, value in tags.items()]
        self._call("POST", "registered-models/create", name=name, tags=said)
        for _ in range(versions):
            self._call("POST", "model-versions/create", name=name, source="s3://nowhere/model")

    def champion(self, name: str, version: int) -> None:
        """Moves the alias, as the UI does."""
        self._call("POST", "registered-models/alias", name=name, alias="champion", version=str(version))

    def challenger(self, name: str, version: int) -> None:
        self._call("POST", "registered-models/alias", name=name, alias="challenger", version=str(version))

    def drop_champion(self, name: str) -> None:
        self._call("DELETE", "registered-models/alias", name=name, alias="champion")

    def live(self, name: str, version: int) -> None:
        """Says which version is live, as Slipway does."""
        self._call(
            "POST", "registered-models/set-tag", name=name, key="slipway.live_version", value=str(version)
        )

    def forget(self) -> None:
        for name in self.models:
            self._call("DELETE", "registered-models/delete", name=name)
        self.models.clear()

    def _call(self, method: str, path: str, **body: object) -> None:
        self._client.request(method, path, json=body).raise_for_status()


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory) -> Iterator[str]:
    """The address of an MLflow server."""
    folder = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [
            *(str(PROJECT / ".venv/ml/bin/python"), "-m", "mlflow", "server"),
            *("--backend-store-uri", f"sqlite:///{folder}/mlflow.db"),
            *("--artifacts-destination", str(folder / "artifacts")),
            *("--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        ],
        env=os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    said, up = [], threading.Event()

    def listen() -> None:
        for line in server.stdout:
            said.append(line)
            if UP in line:
                up.set()
        up.set()

    threading.Thread(target=listen, daemon=True).start()
    try:
        up.wait()
        assert UP in "".join(said), "MLflow did not start:\n" + "".join(said)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=60)


@pytest.fixture
def mlflow(mlflow_server, monkeypatch) -> Iterator[Mlflow]:
    """The server, which the trigger is told to watch."""
    for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_server)
    person = Mlflow(mlflow_server)
    yield person
    person.forget()
