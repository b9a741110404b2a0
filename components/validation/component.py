"""TFX component of validation.

No `from __future__ import annotations` in a component.py: TFX reads the annotations as types.
"""

import shutil
from dataclasses import replace

import apache_beam as beam
from tfx import v1 as tfx

from components import runtime
from components.artifacts import ACCEPTED_BY, FactDistributions, Report
from components.validation import drifted
from components.validation.drifted import Drifted
from components.validation.validate import Data, Expected, Findings, validate
from contract.errors import DataContractError

Examples = tfx.types.standard_artifacts.Examples
ExampleAnomalies = tfx.types.standard_artifacts.ExampleAnomalies
ExampleStatistics = tfx.types.standard_artifacts.ExampleStatistics
Schema = tfx.types.standard_artifacts.Schema
InputArtifact = tfx.dsl.components.InputArtifact
OutputArtifact = tfx.dsl.components.OutputArtifact
Parameter = tfx.dsl.components.Parameter
BeamPipeline = tfx.dsl.components.BeamComponentParameter[beam.Pipeline]

ACCEPT_SCHEMA = (
    "If the data is right and the schema is not, accept what this run's data looks like with "
    "`slipway schema accept {pipeline} {run_id}`, then clear `ingest`."
)
ACCEPT_DRIFT = (
    "If this is what the data looks like from now on, accept it with `slipway data accept {pipeline} {run_id}`, then "
    "clear `validate`."
)
REMEDY = (
    "Fix the data at its source and clear `ingest`, which takes it as it is then; or change `validation` in the "
    "pipeline's configuration and start a new run."
)


@tfx.dsl.components.component(use_beam=True)
def DataValidator(
    examples: InputArtifact[Examples],
    statistics: InputArtifact[ExampleStatistics],
    schema: InputArtifact[Schema],
    anomalies: InputArtifact[ExampleAnomalies],
    report: OutputArtifact[Report],
    facts: OutputArtifact[FactDistributions],
    family: Parameter[str],
    task: Parameter[str],
    settings: Parameter[str],
    label_settings: Parameter[str],
    record: Parameter[str],
    target: Parameter[str],
    accepted_statistics: InputArtifact[ExampleStatistics] = None,
    accepted_facts: InputArtifact[FactDistributions] = None,
    pipeline: BeamPipeline = None,
) -> None:
    """Holds the data against the Great Expectations suite, the schema, and the last accepted data.

    Args:
        examples: The data.
        statistics: Its statistics.
        schema: Its schema.
        anomalies: What ExampleValidator found.
        report: Data Docs and the table of facts.
        facts: How the facts are distributed.
        family: Dotted name of the family's module `facts`.
        task: Dotted name of the task's module `facts`.
        settings: The family's `ValidationSettings` as JSON.
        label_settings: The task's `ValidationSettings` as JSON.
        record: The family's `RecordSettings` as JSON.
        target: The task's `TargetSettings` as JSON.
        accepted_statistics: Statistics of the last accepted data; absent on the first run.
        accepted_facts: How its facts were distributed; absent on the first run.
        pipeline: Makes the facts.

    Raises:
        DataContractError: Names every broken expectation, anomaly and drift.
        SettingsError: If an expectation of the configuration is none on these facts.
    """
    data = Data(examples.uri, statistics.uri, schema.uri, anomalies.uri)
    if accepted_statistics is not None:
        data = replace(data, accepted_statistics=accepted_statistics.uri)
    if accepted_facts is not None:
        by = accepted_facts.get_string_custom_property(ACCEPTED_BY)
        data = replace(data, accepted_facts=accepted_facts.uri, accepted_by=by)
    expected = Expected.of(family, task, settings, label_settings, record, target)
    context = runtime.current()
    drifted.forget(context.work_dir)
    findings = validate(
        data, expected, report_dir=report.uri, facts_dir=facts.uri, run_name=context.run_id, pipeline=pipeline
    )
    if findings.all:
        # The artifacts of a failed execution are deleted; the pages are most wanted exactly then.
        shutil.copytree(report.uri, context.work_dir / "report", dirs_exist_ok=True)
        if findings.drift:
            left = Drifted(examples.get_string_custom_property("source_digest"), findings.drift)
            drifted.leave(context.work_dir, left, statistics_dir=statistics.uri, facts_dir=facts.uri)
        whose = f"the data of pipeline {context.pipeline}"
        raise DataContractError(whose, findings.all, _remedy(context, findings))


def _remedy(context: runtime.NodeContext, findings: Findings) -> str:
    ways = [ACCEPT_SCHEMA] if findings.anomalies else []
    ways += [ACCEPT_DRIFT] if findings.drift else []
    accept = [way.format(pipeline=context.pipeline, run_id=context.run_id) for way in ways]
    return " ".join([REMEDY, *accept])
