"""The schema that a run holds its data to, and the one that its data leads to."""

import difflib
from pathlib import Path
from typing import Any

from components import plugins
from components.families.interface import Ingestion
from components.tasks.interface import Labels
from components.validation import schema as schemas
from contract.errors import SettingsError
from contract.run_folder import RUN, SUCCEEDED, RunFolder
from contract.state import StateFolder
from pipelines.definition import config as configuration
from pipelines.definition.config import PipelineConfig
from pipelines.definition.nodes import STATISTICS
from pipelines.lineage import metadata
from pipelines.lineage.metadata_store import Store
from pipelines.runs import accepted_schema
from pipelines.runs.accepted_schema import FIRST_RUN, Accepted


def to_import(folder: RunFolder, config: PipelineConfig, digest: str) -> str | None:
    """Returns the file of the schema that a run's data is held to; `None` where the run infers one.

    It does before any is accepted, and, so that the cache answers, on the very data that the first one was
    inferred from.

    Args:
        folder: Of the run.
        config: Resolved.
        digest: Of the run's data.

    Raises:
        SettingsError: If the schema is malformed, missing or altered.
    """
    if curated := accepted_schema.curated(config.name):
        schemas.read(curated)
        return str(accepted_schema.keep(folder.pipeline_dir, curated.read_text()))
    accepted = accepted_schema.accepted(folder.pipeline_dir)
    if accepted is None or (accepted.by, accepted.data_digest) == (FIRST_RUN, digest):
        return None
    schema = schemas.read(accepted_schema.path_of(config.name, folder.pipeline_dir, accepted))
    text = schemas.text_of(_acceptable(schema, config))
    return str(accepted_schema.keep(folder.pipeline_dir, text))


def accept_first(folder: RunFolder, schema_dir: str) -> None:
    """Accepts the schema that a run proposed, once its data was validated; nothing where there is one already.

    Args:
        folder: Of the run.
        schema_dir: Its Schema artifact.
    """
    if not accepted_schema.curated(folder.pipeline) and not accepted_schema.accepted(folder.pipeline_dir):
        _accept(folder, schemas.read(Path(schema_dir) / schemas.FILE), FIRST_RUN)


def accept(folder: RunFolder, by: str) -> Accepted:
    """Accepts what the data of a run looks like, and returns the record of it.

    Args:
        folder: Of the run.
        by: Who accepts.

    Raises:
        SettingsError: If the schema is curated, or the run has no statistics of the data that it names.
    """
    if curated := accepted_schema.curated(folder.pipeline):
        raise SettingsError(f"The schema of {folder.pipeline} is curated: change {curated}, under review.")
    return _accept(folder, _inferred(folder), by)


def difference(folder: RunFolder) -> list[str]:
    """Returns how the schema that data is held to differs from what the data of a run looks like, as a unified diff.

    Args:
        folder: Of the run.

    Raises:
        SettingsError: If data is held to no schema yet, or the run has no statistics of the data that it names.
    """
    looks = _acceptable(_inferred(folder), _config_of(folder))
    if curated := accepted_schema.curated(folder.pipeline):
        name, held = str(curated), schemas.read(curated)
    elif found := accepted_schema.accepted(folder.pipeline_dir):
        name = f"accepted by {found.by} at {found.at}, from run {found.run_id}"
        held = schemas.read(accepted_schema.path_of(folder.pipeline, folder.pipeline_dir, found))
    else:
        raise SettingsError(
            f"Expected a schema that the data of {folder.pipeline} is held to, and there is none yet: the first run "
            "whose data is validated proposes one."
        )
    before, after = (schemas.text_of(schemas.in_order(each)).splitlines() for each in (held, looks))
    data = f"the data of run {folder.run_id}"
    return list(difflib.unified_diff(before, after, name, data, lineterm=""))


def newest_with_statistics(pipeline: str) -> RunFolder:
    """Returns the newest run that a schema can be inferred from.

    Raises:
        SettingsError: If there is none.
    """
    runs = (StateFolder.from_environment().pipelines / pipeline / "runs").glob(f"*/{RUN}")
    for path in sorted(runs, key=lambda path: -path.stat().st_mtime):
        folder = RunFolder.here(pipeline, path.parent.name)
        made = folder.result(STATISTICS)
        if made and made.state == SUCCEEDED:
            return folder
    raise SettingsError(
        f"Expected a run of {pipeline} whose `{STATISTICS}` has succeeded, and there is none yet. Start one: "
        f"`slipway run {pipeline}`."
    )


def _inferred(folder: RunFolder) -> Any:
    """Returns the schema that a run's data looks like."""
    folder.require(RUN)
    folder.check_not_collected()
    made = folder.results().get(STATISTICS)
    if made is None or made.state != SUCCEEDED:
        raise SettingsError(
            f"Expected statistics in run {folder.run_id} of {folder.pipeline}, which a schema is inferred from, and "
            f"there are none. Name a run whose `{STATISTICS}` has succeeded."
        )
    with Store(metadata.connection(folder.pipeline_dir)) as store:
        statistics = metadata.newest_output(store, folder.run_id, folder.pipeline, STATISTICS)
    return schemas.infer(statistics)


def _config_of(folder: RunFolder) -> PipelineConfig:
    return configuration.parse(folder.require(RUN)["config"], RUN)


def _acceptable(schema: Any, config: PipelineConfig) -> Any:
    """Returns a schema as other data of the pipeline can be held to it."""
    family = plugins.load(config.family_module("ingestion"), Ingestion)
    task = plugins.load(config.task_module("labels"), Labels)
    return schemas.acceptable(schema, task, config.target, family)


def _accept(folder: RunFolder, schema: Any, by: str) -> Accepted:
    return accepted_schema.accept(
        folder.pipeline_dir,
        schemas.text_of(_acceptable(schema, _config_of(folder))),
        run_id=folder.run_id,
        data_digest=folder.require(RUN)["data_digest"],
        by=by,
    )
