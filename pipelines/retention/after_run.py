"""What is too old goes when a run ends. The run has its result by then, and keeps it, whatever happens here."""

import logging
import time
from pathlib import Path

from contract import errors
from contract.addresses import tracking_uri
from contract.errors import Cancelled
from contract.state import StateFolder
from pipelines.definition import config as configuration
from pipelines.definition.config import PipelineConfig
from pipelines.retention import disk, run_folders, window

logger = logging.getLogger(__name__)


def collect(pipeline: str) -> None:
    """Removes what the configuration of a pipeline, as it is now, no longer keeps."""
    try:
        config, home = configuration.load(pipeline), StateFolder.from_environment().home
        if not config.retention.for_ever and _is_due(config, home):
            _collect(config, home)
    except (Exception, Cancelled) as error:
        said = errors.explain(error, tracking_uri()).message
        logger.warning("What old runs of %s left behind is not removed: %s", pipeline, said)


def _is_due(config: PipelineConfig, home: Path) -> bool:
    """Returns whether a look at more than the folders of the runs can find anything."""
    runs = run_folders.known(home, config.name, {})
    kept = window.kept(runs, config, time.time())
    left = next(disk.aside(StateFolder(home).pipelines / config.name), None)
    return left is not None or any(not run.is_collected and run.id not in kept for run in runs)


def _collect(config: PipelineConfig, home: Path) -> None:
    from pipelines.retention import (
        collect,
        versions,
    )  # TFX and MLflow, for seconds, where nothing had to import them
    from serving.registry.registry import Registry

    done = collect.collect(config, home, versions.of(Registry(tracking_uri()), config.name))
    logger.info("Retention: %d folders of old runs are gone, %.1f MB", len(done.removals), done.freed / 1e6)
    for problem in done.problems:
        logger.warning("It could not be removed: %s", problem)
