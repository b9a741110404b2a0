"""TFX face of compression.

No `from __future__ import annotations` in a component.py: TFX reads the annotations as types.
"""

import json
from dataclasses import asdict

from tfx import v1 as tfx

from components.artifacts import Report, TFLiteModel
from components.compression.compress import Places, compress
from components.compression.settings import CompressionSettings
from components.compression.tradeoff import draw
from components.records import ImageShape
from components.report import write

Examples = tfx.types.standard_artifacts.Examples
Model = tfx.types.standard_artifacts.Model
InputArtifact = tfx.dsl.components.InputArtifact
OutputArtifact = tfx.dsl.components.OutputArtifact
Parameter = tfx.dsl.components.Parameter


@tfx.dsl.components.component
def Compressor(
    model: InputArtifact[Model],
    augmented_examples: InputArtifact[Examples],
    examples: InputArtifact[Examples],
    compressed_model: OutputArtifact[Model],
    tflite_model: OutputArtifact[TFLiteModel],
    report: OutputArtifact[Report],
    settings: Parameter[str],
    image_shape: Parameter[str],
    classes: Parameter[str],
    batch_size: Parameter[int],
) -> None:
    """Prunes the model, then trains it quantization-aware with its zeros preserved.

    Args:
        model: The trained model.
        augmented_examples: Splits train and eval, to train on.
        examples: Split test, to measure on.
        compressed_model: SavedModel with the three signatures.
        tflite_model: int8 TFLite.
        report: Accuracy and size of each form, sparsity of each layer.
        settings: `CompressionSettings` as JSON.
        image_shape: `ImageShape` as JSON.
        classes: JSON list of class names.
        batch_size: Examples in a training step.
    """
    outcome = compress(
        Places(
            model=model.uri,
            augmented_examples=augmented_examples.uri,
            examples=examples.uri,
            compressed_model=compressed_model.uri,
            tflite=tflite_model.uri,
        ),
        shape=ImageShape(**json.loads(image_shape)),
        classes=json.loads(classes),
        batch_size=batch_size,
        settings=CompressionSettings.model_validate_json(settings),
    )
    folder = write(report.uri, metrics=outcome.metrics())
    (folder / "forms.json").write_text(
        json.dumps({name: asdict(form) for name, form in outcome.forms.items()}, indent=2)
    )
    draw(outcome.forms, folder / "accuracy_against_size.png")
