"""TFX face of augmentation.

No `from __future__ import annotations` in a component.py: TFX reads the annotations as types.
"""

import json

from tfx import v1 as tfx

from components.artifacts import Report
from components.augmentation.enlarge import enlarge
from components.augmentation.preview import draw
from components.augmentation.settings import AugmentationSettings
from components.records import ImageShape
from components.report import write

Examples = tfx.types.standard_artifacts.Examples
InputArtifact = tfx.dsl.components.InputArtifact
OutputArtifact = tfx.dsl.components.OutputArtifact
Parameter = tfx.dsl.components.Parameter


@tfx.dsl.components.component
def ImageAugmenter(
    examples: InputArtifact[Examples],
    augmented_examples: OutputArtifact[Examples],
    report: OutputArtifact[Report],
    settings: Parameter[str],
    image_shape: Parameter[str],
) -> None:
    """Enlarges the train split by varied copies; eval goes through unchanged, test is left out.

    Args:
        examples: Splits train and eval.
        augmented_examples: The same splits, train enlarged.
        report: Records per split and a contact sheet.
        settings: `AugmentationSettings` as JSON.
        image_shape: `ImageShape` as JSON.
    """
    counts = enlarge(
        examples.uri,
        augmented_examples.uri,
        shape=ImageShape(**json.loads(image_shape)),
        settings=AugmentationSettings.model_validate_json(settings),
    )
    augmented_examples.split_names = json.dumps(list(counts))
    augmented_examples.set_string_custom_property("payload_format", "FORMAT_TF_EXAMPLE")
    augmented_examples.set_string_custom_property("file_format", "tfrecords_gzip")
    folder = write(report.uri, metrics={f"records_{split}": count for split, count in counts.items()})
    draw(augmented_examples.uri, folder / "augmentation_preview.png")
