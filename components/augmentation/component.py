"""TFX component of augmentation.

No `from __future__ import annotations` in a component.py: TFX reads the annotations as types.
"""

import json
from itertools import islice

import apache_beam as beam
from tfx import v1 as tfx

from components import plugins, records
from components.artifacts import Report
from components.augmentation import balance, gathering
from components.augmentation.augment import augment
from components.families import interface as families
from components.report import write
from components.tasks import interface as tasks

Examples = tfx.types.standard_artifacts.Examples
InputArtifact = tfx.dsl.components.InputArtifact
OutputArtifact = tfx.dsl.components.OutputArtifact
Parameter = tfx.dsl.components.Parameter
BeamPipeline = tfx.dsl.components.BeamComponentParameter[beam.Pipeline]

SHOWN = 8  # examples that the preview may choose from


@tfx.dsl.components.component(use_beam=True)
def ExampleAugmenter(
    examples: InputArtifact[Examples],
    augmented_examples: OutputArtifact[Examples],
    report: OutputArtifact[Report],
    family: Parameter[str],
    task: Parameter[str],
    settings: Parameter[str],
    record: Parameter[str],
    target: Parameter[str],
    pipeline: BeamPipeline = None,
) -> None:
    """Enlarges the train split by augmented copies; eval goes through unchanged, test is left out.

    Args:
        examples: Splits train and eval.
        augmented_examples: The same splits, train enlarged; the property `policy` is the version of what was done.
        report: Records per split, the policy's version, and the family's preview.
        family: Dotted name of the family's module `augmentation`.
        task: Dotted name of the task's module `labels`.
        settings: The family's `AugmentationSettings` as JSON.
        record: The family's `RecordSettings` as JSON.
        target: The task's `TargetSettings` as JSON.
        pipeline: Where the work is done.

    Raises:
        SettingsError: If the shares of `augment.balance` cannot be reached.
        DataError: If a label that has a share has no records.
    """
    of_family, of_task = plugins.load(family, families.Augmentation), plugins.load(task, tasks.Labels)
    of_record = of_family.RecordSettings.model_validate_json(record)
    how = of_family.AugmentationSettings.model_validate_json(settings)
    shares = balance.targets(of_task, of_task.TargetSettings.model_validate_json(target), how)
    ranks = {}
    if shares.shares:
        counting = beam.Pipeline(options=pipeline.options)  # each runs once
        shared_dir = augmented_examples.uri
        ranks = gathering.ranks(examples.uri, shares, how, pipeline=counting, shared_dir=shared_dir)
    counts = augment(
        of_family,
        examples.uri,
        augmented_examples.uri,
        record=of_record,
        settings=how,
        copies=balance.Copies(ranks, shares, how),
        pipeline=pipeline,
    )
    augmented_examples.split_names = json.dumps(list(counts))
    augmented_examples.set_string_custom_property("payload_format", "FORMAT_TF_EXAMPLE")
    augmented_examples.set_string_custom_property("file_format", "tfrecords_gzip")
    augmented_examples.set_string_custom_property("policy", how.policy_version)
    folder = write(
        report.uri,
        metrics={f"records_{split}": count for split, count in counts.items()},
        parameters={"policy": how.policy_version},
    )
    originals = records.read_split(examples.uri, "train")
    of_family.preview(list(islice(originals, SHOWN)), folder, of_record, how)
