"""TFX face of infrastructure validation.

No `from __future__ import annotations` in a component.py: TFX reads the annotations as types.
"""

import json
import shutil
from pathlib import Path

import numpy as np
from tfx import v1 as tfx

from components.artifacts import Report
from components.export import SERVING_DIR
from components.infra_validation import checks, sandbox
from components.infra_validation.settings import InfraValidationSettings
from components.records import ImageShape
from components.report import write
from serving.errors import ReleaseError

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
    settings: Parameter[str],
    image_shape: Parameter[str],
    model_name: Parameter[str],
    server_command: Parameter[str],
) -> None:
    """Serves the candidate on a real model server: does it load, answer rightly, and fast enough.

    Args:
        model: The candidate.
        examples: Split test, to ask with.
        servable_model: The candidate with its warm-up requests: exactly what will be served.
        blessing: Custom properties `blessed` (1 or 0) and `reason`.
        report: Latencies.
        settings: `InfraValidationSettings` as JSON.
        image_shape: `ImageShape` as JSON.
        model_name: Name to serve under.
        server_command: JSON list, program and first arguments of the model server.
    """
    limits = InfraValidationSettings.model_validate_json(settings)
    servable = Path(servable_model.uri) / SERVING_DIR
    shutil.copytree(Path(model.uri) / SERVING_DIR, servable, dirs_exist_ok=True)
    sample = checks.Sample.of(examples.uri, ImageShape(**json.loads(image_shape)))
    checks.write_warmup(sample, model_name, servable)
    metrics: dict = {}
    try:
        with sandbox.serving(model_name, servable, json.loads(server_command)) as server:
            expected = checks.answers(sample, servable)  # while the server starts
            client = server.available(limits.load_timeout_s)
            problems = checks.wrong_answers(client, model_name, sample, expected, tolerance=limits.tolerance)
            durations = checks.latencies_ms(client, model_name, sample, limits.requests)
    except ReleaseError as error:
        problems = [str(error)]
    else:
        p50, p99 = np.percentile(durations, [50, 99])
        metrics = {"latency_p50_ms": p50, "latency_p99_ms": p99}
        if p99 > limits.max_p99_latency_ms:
            problems.append(
                f"latency p99 is {p99:.1f} ms, above infra_validate.max_p99_latency_ms "
                f"{limits.max_p99_latency_ms:.1f}"
            )
    write(report.uri, metrics=metrics)
    blessing.set_int_custom_property("blessed", 0 if problems else 1)
    blessing.set_string_custom_property("reason", "; ".join(problems))
