"""The first task of every run: resolves the configuration, compiles the run, opens its MLflow run.

Everything a later node needs lies in the run's folder afterwards; nothing is resolved twice.
"""

import logging
import os
import shutil
import subprocess
import sys
from importlib import metadata as packages
from pathlib import Path
from typing import Any

from components.export import SERVING_DIR
from components.ingestion import sources
from pipelines import config as configuration
from pipelines import image_pipeline, launch, metadata
from pipelines.image_pipeline import Placement, create_pipeline
from pipelines.metadata_store import Store
from pipelines.run_folder import RunFolder
from pipelines.stack.settings import PROJECT, Stack
from pipelines.tracking import Tracker
from pipelines.tracking_uri import tracking_uri
from serving.registry import Registry

logger = logging.getLogger(__name__)

REQUEST = "request.json"
RUN = "run.json"
REPRESENTATION = "pipeline.json"


def server_command() -> list[str]:
    """Returns the model server's program: the real one where it is installed, else the embedded one."""
    binary = shutil.which("tensorflow_model_server")
    return [binary] if binary else [sys.executable, "-m", "serving.server"]


def code_version() -> str:
    """Returns the commit, with `-dirty` where files differ from it, or the package version without git."""
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],  # noqa: S607  git of the PATH
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    return described.stdout.strip() or f"slipway {packages.version('slipway')}"


def _live_model(registry: Registry, name: str, folder: Path) -> tuple[int | None, str | None]:
    """Fetches the live version once; returns its number and the folder of a Model artifact."""
    version = registry.champion(name)
    if version is None:
        return None, None
    target = folder / "live" / str(version)
    if not target.is_dir():
        draft = folder / "live" / f".{version}.{os.getpid()}"
        draft.mkdir(parents=True)
        registry.download(name, version, draft).rename(draft / SERVING_DIR)
        draft.rename(target)
    return version, str(target)


def _request(folder: RunFolder) -> dict[str, Any]:
    return {"values": {}, **folder.read(REQUEST)}


def run(folder: RunFolder) -> str:
    """Prepares a run. Returns the page of its MLflow run.

    Repeated, as when a task is cleared, it opens the MLflow run again and resolves nothing anew: a run stays
    what it was prepared to be.

    Raises:
        SettingsError: If a value is unknown, malformed or out of range.
        DataError: If the data cannot be found.
    """
    if prepared := folder.read(RUN):
        tracker = Tracker(prepared["tracking_uri"], folder.pipeline)
        return tracker.url(tracker.open(folder.run_id, ""))
    stack = Stack.from_environment()
    request = _request(folder)
    config = configuration.load(folder.pipeline, request["values"], f"the values set for {folder.run_id}")
    uri = tracking_uri()
    digest = sources.digest(config.data.ingestion())
    live_version, live_model = _live_model(Registry(uri), config.name, folder.pipeline_dir)
    with Store(metadata.connection(folder.pipeline_dir)) as store:
        accepted = metadata.accepted_statistics(store, config.name, digest)
    placement = Placement(
        pipeline_root=str(folder.pipeline_dir / "artifacts"),
        tracking_uri=uri,
        grpc_target=stack.grpc_target,
        models_dir=str(stack.models),
        server_command=server_command(),
        source_digest=digest,
        live_model=live_model,
        accepted_statistics=accepted,
    )
    representation = launch.compile_run(create_pipeline(config, placement), folder.run_id)
    folder.write(REPRESENTATION, launch.to_json(representation))
    _import(representation, folder)

    tracker = Tracker(uri, config.name)
    version = code_version()
    tags = {
        "slipway.pipeline": config.name,
        "slipway.data_digest": digest,
        "slipway.code_version": version,
        "slipway.live_version": str(live_version or "none"),
        **{f"airflow.{key}": request[key] for key in ("dag_id", "run_id", "dag_run_url") if request.get(key)},
    }
    parent = tracker.open(folder.run_id, "", tags=tags)
    resolved = config.model_dump()
    tracker.parameters(parent, {key: _at(resolved, key) for key in configuration.keys(resolved)})
    tracker.content(parent, resolved, "config.json")
    tracker.dataset(parent, config.name, config.data.path or config.data.source, digest, "source")
    folder.write(
        RUN,
        {
            "config": resolved,
            "data_digest": digest,
            "code_version": version,
            "live_version": live_version,
            "tracking_uri": uri,
            "experiment_id": tracker.experiment_id,
            "mlflow_run": parent,
            "tags": tags,
        },
    )
    logger.info("Data %s, live version %s, code %s", digest[:12], live_version or "none", version)
    return tracker.url(parent)


def _import(representation: Any, folder: RunFolder) -> None:
    """Registers what the run is compared with as artifacts of this run, once."""
    connection = metadata.connection(folder.pipeline_dir)
    for node in launch.node_ids(representation):
        if node in image_pipeline.IMPORTS:
            with Store(connection) as store:
                done = metadata.has_run(store, folder.run_id, folder.pipeline, node)
            if not done:
                launch.launch(representation, node, connection)


def _at(content: dict[str, Any], key: str) -> Any:
    for part in key.split("."):
        content = content[part]
    return content
