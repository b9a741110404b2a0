"""The schema that a run holds its data to, and the one that its data leads to."""

from pathlib import Path
from typing import Any

from components import plugins
from components.families.interface import Ingestion
from components.tasks.interface import Labels
from components.validation import schema as schemas
from contract.errors import SettingsError
from contract.run_folder import RUN, SUCCEEDED, RunFolder
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
    return _accept(folder, schemas.infer(statistics), by)


def _acceptable(schema: Any, config: PipelineConfig) -> Any:
    """Returns a schema as other data of the pipeline can be held to it."""
    open_features = plugins.load(config.family_module("ingestion"), Ingestion).OPEN_FEATURES
    task = plugins.load(config.task_module("labels"), Labels)
    return schemas.acceptable(schema, task, config.target, open_features)


def _accept(folder: RunFolder, schema: Any, by: str) -> Accepted:
    prepared = folder.require(RUN)
    made = _acceptable(schema, configuration.parse(prepared["config"], RUN))
    return accepted_schema.accept(
        folder.pipeline_dir,
        schemas.text_of(made),
        run_id=folder.run_id,
        data_digest=prepared["data_digest"],
        by=by,
    )
