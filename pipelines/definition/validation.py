"""Wires the validation of data: what it is held to, and what it is compared with."""

import json

from tfx import v1 as tfx
from tfx.dsl.components.base.base_node import BaseNode
from tfx.types import standard_artifacts

from components import plugins, records
from components.artifacts import ACCEPTED_BY, FactDistributions
from components.families import interface as families
from components.settings import part
from components.tasks import interface as tasks
from components.validation import expectations
from components.validation.component import DataValidator
from pipelines.definition.config import PipelineConfig
from pipelines.definition.nodes import ANOMALIES, INGEST, SCHEMA, STATISTICS, VALIDATE
from pipelines.definition.runtime_config import AcceptedData, RuntimeConfig

ACCEPTED_STATISTICS = "accepted_statistics"
ACCEPTED_FACTS = "accepted_facts"


def add_validation(config: PipelineConfig, runtime: RuntimeConfig, nodes: dict[str, BaseNode]) -> None:
    """Adds the node, and Importers of what the data is compared with.

    Raises:
        SettingsError: If an expectation of the configuration is none on the facts of its records.
    """
    settings = part(config.validation, config.family_settings.ValidationSettings)
    label_settings = part(config.validation, config.task_settings.ValidationSettings)
    task = plugins.load(config.task_module("facts"), tasks.Facts)
    # Made for its errors: a run does not begin that could not end.
    expectations.suite(
        settings,
        plugins.load(config.family_module("facts"), families.Facts),
        config.record,
        expectations.Labels(task, config.target, label_settings),
    )
    accepted = _accepted(runtime.accepted_data)
    nodes.update(accepted)
    nodes[VALIDATE] = DataValidator(
        examples=nodes[INGEST].outputs["examples"],
        statistics=nodes[STATISTICS].outputs["statistics"],
        schema=nodes[SCHEMA].outputs["schema"],
        anomalies=nodes[ANOMALIES].outputs["anomalies"],
        family=config.family_module("facts"),
        task=config.task_module("facts"),
        settings=settings.model_dump_json(),
        label_settings=label_settings.model_dump_json(),
        record=config.record.model_dump_json(),
        target=config.target.model_dump_json(),
        **{name: node.outputs["result"] for name, node in accepted.items()},
    ).with_id(VALIDATE)


def _accepted(data: AcceptedData | None) -> dict[str, BaseNode]:
    """Returns the Importers of what the data is compared with."""
    if data is None:
        return {}
    statistics = tfx.dsl.Importer(
        source_uri=data.statistics,
        artifact_type=standard_artifacts.ExampleStatistics,
        properties={"split_names": json.dumps(list(records.SPLITS))},  # as TFX stores them
    ).with_id(ACCEPTED_STATISTICS)
    if data.facts is None:
        return {ACCEPTED_STATISTICS: statistics}
    facts = tfx.dsl.Importer(
        source_uri=data.facts,
        artifact_type=FactDistributions,
        custom_properties={ACCEPTED_BY: data.by} if data.by else None,
    ).with_id(ACCEPTED_FACTS)
    return {ACCEPTED_STATISTICS: statistics, ACCEPTED_FACTS: facts}
