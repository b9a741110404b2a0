"""The first task of every run: resolves the configuration, compiles the run, opens its MLflow run.

Everything a later node needs lies in the run's folder afterwards; nothing is resolved twice.
"""

import logging
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from importlib import metadata as packages
from typing import Any

from components.ingestion import sources
from pipelines import comparison, image_pipeline, launch, manifest, metadata
from pipelines import config as configuration
from pipelines.addresses import grpc_target, tracking_uri
from pipelines.config import PipelineConfig
from pipelines.image_pipeline import Placement, create_pipeline
from pipelines.metadata_store import Store
from pipelines.run_folder import RUN, RunFolder
from pipelines.stack.settings import PROJECT, Stack
from pipelines.tracking import Tracker
from serving.registry import Registry

logger = logging.getLogger(__name__)

REQUEST = "request.json"
REPRESENTATION = "pipeline.json"


def server_command() -> list[str]:
    """Returns the model server's program: the real one where it is installed, else the embedded one."""
    binary = shutil.which("tensorflow_model_server")
    return [binary] if binary else [sys.executable, "-m", "serving.server"]


def code_version() -> str:
    """Returns the commit, with `-dirty` where files differ from it; without git, the package's version."""
    git = shutil.which("git")
    if git:
        described = subprocess.run(
            [git, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=False,
        )
        if version := described.stdout.strip():
            return version
    return f"slipway {packages.version('slipway')}"


def _request(folder: RunFolder) -> dict[str, Any]:
    return {"values": {}, **folder.read(REQUEST)}


def run(folder: RunFolder) -> str:
    """Prepares a run. Returns the page of its MLflow run.

    Repeated, as when a task is cleared, it opens the MLflow run again and resolves nothing anew: a run stays
    what it was prepared to be.

    Raises:
        SettingsError: If a value is unknown, malformed or out of range, or Airflow drew a stale manifest.
        DataError: If the data cannot be found.
    """
    if prepared := folder.read(RUN):
        tracker = Tracker(prepared["tracking_uri"], folder.pipeline)
        return tracker.url(tracker.open(folder.run_id, ""))
    request = _request(folder)
    if "dag_id" in request:
        manifest.check_drawn(configuration.load(folder.pipeline))
    config = configuration.load(folder.pipeline, request["values"], f"the values set for {folder.run_id}")
    placement = _placement(folder, config)
    compiled = _compile(folder, config, placement)
    tags = {
        "slipway.pipeline": config.name,
        "slipway.data_digest": placement.source_digest,
        "slipway.code_version": code_version(),
        **compiled.tags(),
        **{f"airflow.{key}": request[key] for key in ("dag_id", "run_id", "dag_run_url") if request.get(key)},
    }
    tracker = Tracker(placement.tracking_uri, config.name)
    parent = _open(tracker, folder, config, tags)
    folder.write(
        RUN,
        {
            "config": config.model_dump(),
            "data_digest": placement.source_digest,
            "code_version": tags["slipway.code_version"],
            "live_version": compiled.live,
            "tracking_uri": tracker.uri,
            "experiment_id": tracker.experiment_id,
            "mlflow_run": parent,
            "tags": tags,
        },
    )
    logger.info(
        "Data %s, live version %s, code %s",
        placement.source_digest[:12],
        compiled.live or "none",
        tags["slipway.code_version"],
    )
    return tracker.url(parent)


def _placement(folder: RunFolder, config: PipelineConfig) -> Placement:
    """Finds everything but the model to compare with."""
    stack = Stack.from_environment()
    digest = sources.digest(config.data.ingestion())
    with Store(metadata.connection(folder.pipeline_dir)) as store:
        accepted = metadata.accepted_statistics(store, config.name, digest)
    return Placement(
        pipeline_root=str(folder.pipeline_dir / "artifacts"),
        tracking_uri=tracking_uri(),
        grpc_target=grpc_target(),
        models_dir=str(stack.models),
        server_command=server_command(),
        source_digest=digest,
        accepted_statistics=accepted,
    )


def _compile(folder: RunFolder, config: PipelineConfig, placement: Placement) -> comparison.Comparison:
    """Compiles the run once it is known what its model is compared with."""
    without = launch.compile_run(create_pipeline(config, placement), folder.run_id)
    compared = comparison.choose(
        Registry(placement.tracking_uri),
        config.name,
        comparison.fingerprint(placement.source_digest, config, launch.code_of(without)),
        folder.pipeline_dir,
    )
    complete = replace(placement, live_model=compared.model)
    representation = launch.compile_run(create_pipeline(config, complete), folder.run_id)
    folder.write(REPRESENTATION, launch.to_json(representation))
    _import(representation, folder)
    if compared.version != compared.live:
        logger.info(
            "This run repeats the one that made version %s, and is compared with what that one was: version %s",
            compared.live,
            compared.version or comparison.NOTHING,
        )
    return compared


def _open(tracker: Tracker, folder: RunFolder, config: PipelineConfig, tags: Mapping[str, str]) -> str:
    """Opens the MLflow run and logs what the run was prepared to be."""
    parent = tracker.open(folder.run_id, "", tags=tags)
    resolved = config.model_dump()
    tracker.parameters(parent, {key: _at(resolved, key) for key in configuration.keys(resolved)})
    tracker.content(parent, resolved, "config.json")
    source = config.data.path or config.data.source
    tracker.dataset(parent, config.name, source, tags["slipway.data_digest"], "source")
    return parent


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
