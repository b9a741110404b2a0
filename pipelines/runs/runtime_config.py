"""Where a run reads and writes on this machine, and which data it is about."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from components.ingestion import parts
from components.ingestion.parts import Part
from contract import model_server
from contract.addresses import grpc_target, tracking_uri
from contract.run_folder import RunFolder
from contract.state import StateFolder
from pipelines.definition.config import PipelineConfig
from pipelines.definition.runtime_config import RuntimeConfig
from pipelines.lineage import metadata
from pipelines.lineage.metadata_store import Store
from pipelines.runs import data_schema, spans
from pipelines.runs.model_server import version


def on_data_of_now(folder: RunFolder, config: PipelineConfig, request: Mapping[str, Any]) -> RuntimeConfig:
    """Takes the data as it is now, and finds everything but the model to compare with.

    Raises:
        DataError: If the data cannot be found, is too old, or changes while it is read.
    """
    data = spans.parts_of(folder, config, request)
    digest = parts.digest_of(data)
    with Store(metadata.connection(folder.pipeline_dir)) as store:
        accepted = metadata.accepted_statistics(store, config.name, digest)
    schema = data_schema.to_import(folder, config, digest)
    return on_known_data(folder, data=data, accepted_statistics=accepted, schema=schema)


def on_known_data(
    folder: RunFolder, *, data: Sequence[Part], accepted_statistics: str | None, schema: str | None
) -> RuntimeConfig:
    """Finds the servers and folders of this machine, for data that is known.

    Args:
        folder: Of the run.
        data: Its parts, the oldest first.
        accepted_statistics: ExampleStatistics folder of the last accepted, different data; `None` without.
        schema: File of the schema that the data is held to; `None` infers one from the data.
    """
    command = model_server.program(sys.executable)
    return RuntimeConfig(
        pipeline_root=str(folder.pipeline_dir / "artifacts"),
        tracking_uri=tracking_uri(),
        grpc_target=grpc_target(),
        models_dir=str(StateFolder.from_environment().models),
        server_command=command,
        server_version=version(command),
        data=data,
        spans_dir=str(folder.pipeline_dir / "spans"),
        accepted_statistics=accepted_statistics,
        schema=schema,
    )
