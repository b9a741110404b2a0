"""TFX component of infrastructure validation.

No `from __future__ import annotations` in a component.py: TFX reads the annotations as types.
"""

import json
import shutil
from pathlib import Path

from tfx import v1 as tfx

from components import plugins
from components.artifacts import Report
from components.export import SERVING_DIR
from components.families import interface as families
from components.infra_validation import checks
from components.infra_validation.judge import judge
from components.infra_validation.settings import InfraValidationSettings
from components.report import write
from serving import warmup

Examples = tfx.types.standard_artifacts.Examples
InfraBlessing = tfx.types.standard_artifacts.InfraBlessing
Model = tfx.types.standard_artifacts.Model
InputArtifact = tfx.dsl.components.InputArtifact
OutputArtifact = tfx.dsl.components.OutputArtifact
Parameter = tfx.dsl.components.Parameter


@tfx.dsl.components.component
def ModelServerValidator(
    model: InputArtifact[Model],
    examples: InputArtifact[Examples],
    servable_model: OutputArtifact[Model],
    blessing: OutputArtifact[InfraBlessing],
    report: OutputArtifact[Report],
    family: Parameter[str],
    settings: Parameter[str],
    record: Parameter[str],
    model_name: Parameter[str],
    server_command: Parameter[str],
    server_version: Parameter[str],
) -> None:
    """Serves the candidate on a real model server: does it load, answer rightly, and fast enough.

    Args:
        model: The candidate.
        examples: Split test, to ask with.
        servable_model: The candidate with its warm-up requests: exactly what will be served.
        blessing: Custom properties `blessed` (1 or 0) and `reason`.
        report: Latencies.
        family: Dotted name of the family's module `requests`.
        settings: `InfraValidationSettings` as JSON.
        record: The family's `RecordSettings` as JSON.
        model_name: Name to serve under.
        server_command: JSON list, program and first arguments of the model server.
        server_version: Which code that program is. Read by nobody: another server is another key of the cache.
    """
    limits = InfraValidationSettings.model_validate_json(settings)
    servable = Path(servable_model.uri) / SERVING_DIR
    shutil.copytree(Path(model.uri) / SERVING_DIR, servable, dirs_exist_ok=True)
    of_family = plugins.load(family, families.Requests)
    sample = checks.Sample.of(examples.uri, of_family, of_family.RecordSettings.model_validate_json(record))
    warmup.record(sample.requests(model_name), servable)
    problems, metrics = judge(
        servable, sample, model=model_name, command=json.loads(server_command), limits=limits
    )
    write(report.uri, metrics=metrics)
    blessing.set_int_custom_property("blessed", 0 if problems else 1)
    blessing.set_string_custom_property("reason", "; ".join(problems))
