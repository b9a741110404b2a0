"""TFX component of validation.

No `from __future__ import annotations` in a component.py: TFX reads the annotations as types.
"""

import shutil
from pathlib import Path

from tfx import v1 as tfx

from components import plugins, runtime
from components.artifacts import Report
from components.families import interface as families
from components.report import write
from components.tasks import interface as tasks
from components.validation import anomalies as found
from components.validation import expectations
from components.validation.facts import facts_of
from contract.errors import DataContractError

Examples = tfx.types.standard_artifacts.Examples
ExampleAnomalies = tfx.types.standard_artifacts.ExampleAnomalies
ExampleStatistics = tfx.types.standard_artifacts.ExampleStatistics
Schema = tfx.types.standard_artifacts.Schema
InputArtifact = tfx.dsl.components.InputArtifact
OutputArtifact = tfx.dsl.components.OutputArtifact
Parameter = tfx.dsl.components.Parameter

ACCEPT = (
    "If the data is right and the schema is not, accept what this run's data looks like with "
    "`slipway schema {pipeline} --accept {run_id}`, then clear `ingest`."
)
REMEDY = (
    "Fix the data at its source and clear `ingest`, which takes it as it is then; or change `validation` in the "
    "pipeline's configuration and start a new run."
)


@tfx.dsl.components.component
def DataValidator(
    examples: InputArtifact[Examples],
    statistics: InputArtifact[ExampleStatistics],
    schema: InputArtifact[Schema],
    anomalies: InputArtifact[ExampleAnomalies],
    report: OutputArtifact[Report],
    family: Parameter[str],
    task: Parameter[str],
    settings: Parameter[str],
    record: Parameter[str],
    target: Parameter[str],
    accepted_statistics: InputArtifact[ExampleStatistics] = None,
) -> None:
    """Holds the data against the Great Expectations suite, the schema, and the last accepted data.

    Args:
        examples: The data.
        statistics: Its statistics.
        schema: Its schema.
        anomalies: What ExampleValidator found.
        report: Data Docs and the table of facts.
        family: Dotted name of the family's module `facts`.
        task: Dotted name of the task's module `facts`.
        settings: The family's `ValidationSettings` as JSON.
        record: The family's `RecordSettings` as JSON.
        target: The task's `TargetSettings` as JSON.
        accepted_statistics: Statistics of the last accepted data; absent on the first run.

    Raises:
        DataContractError: Names every broken expectation, anomaly and drift.
    """
    of_family, of_task = plugins.load(family, families.Facts), plugins.load(task, tasks.Facts)
    limits = of_family.ValidationSettings.model_validate_json(settings)
    kind = of_family.RecordSettings.model_validate_json(record)
    suite = expectations.suite(
        limits, of_family, of_task, kind, of_task.TargetSettings.model_validate_json(target)
    )
    facts = facts_of(examples.uri, of_family, of_task, kind)
    context = runtime.current()
    docs_dir = Path(report.uri) / "data_docs"
    failures = expectations.run(facts, suite, docs_dir=docs_dir, run_name=context.run_id)
    unlike_schema = found.schema_anomalies(anomalies.uri)
    failures += unlike_schema
    if accepted_statistics is not None:
        failures += found.label_drift(
            statistics.uri, accepted_statistics.uri, schema.uri, limit=limits.max_label_drift
        )
    write(report.uri, metrics={"broken_expectations": len(failures), "records": len(facts)})
    facts.describe().to_json(Path(report.uri) / "facts.json", indent=2)
    if failures:
        # The artifact of a failed execution is deleted; the pages are most wanted exactly then.
        shutil.copytree(report.uri, context.work_dir / "report", dirs_exist_ok=True)
        accept = ACCEPT.format(pipeline=context.pipeline, run_id=context.run_id)
        remedy = f"{REMEDY} {accept}" if unlike_schema else REMEDY
        raise DataContractError(f"the data of pipeline {context.pipeline}", failures, remedy)
