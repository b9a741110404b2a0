"""TFX component of augmentation.

No `from __future__ import annotations` in a component.py: TFX reads the annotations as types.
"""

import json

from tfx import v1 as tfx

from components import plugins
from components.artifacts import Report
from components.augmentation.augment import augment
from components.families import interface as families
from components.report import write

Examples = tfx.types.standard_artifacts.Examples
InputArtifact = tfx.dsl.components.InputArtifact
OutputArtifact = tfx.dsl.components.OutputArtifact
Parameter = tfx.dsl.components.Parameter


@tfx.dsl.components.component
def ExampleAugmenter(
    examples: InputArtifact[Examples],
    augmented_examples: OutputArtifact[Examples],
    report: OutputArtifact[Report],
    family: Parameter[str],
    settings: Parameter[str],
    record: Parameter[str],
) -> None:
    """Enlarges the train split by augmented copies; eval goes through unchanged, test is left out.

    Args:
        examples: Splits train and eval.
        augmented_examples: The same splits, train enlarged.
        report: Records per split and the family's preview.
        family: Dotted name of the family's module `augmentation`.
        settings: The family's `AugmentationSettings` as JSON.
        record: The family's `RecordSettings` as JSON.
    """
    of_family = plugins.load(family, families.Augmentation)
    counts = augment(
        of_family,
        examples.uri,
        augmented_examples.uri,
        record=of_family.RecordSettings.model_validate_json(record),
        settings=of_family.AugmentationSettings.model_validate_json(settings),
    )
    augmented_examples.split_names = json.dumps(list(counts))
    augmented_examples.set_string_custom_property("payload_format", "FORMAT_TF_EXAMPLE")
    augmented_examples.set_string_custom_property("file_format", "tfrecords_gzip")
    folder = write(report.uri, metrics={f"records_{split}": count for split, count in counts.items()})
    of_family.preview(augmented_examples.uri, folder)
