"""TFX component of ingestion.

No `from __future__ import annotations` in a component.py: TFX reads the annotations as types.
"""

import json
import logging
from pathlib import Path

import apache_beam as beam
from tfx import v1 as tfx

from components import plugins, records, runtime
from components.artifacts import Quarantine, Report
from components.families import interface as families
from components.ingestion import parts
from components.ingestion.ingest import ingest
from components.ingestion.quarantine import LISTING
from components.ingestion.quarantine_page import publish
from components.ingestion.usable import Usable
from components.tasks import interface as tasks
from contract.errors import DataError

Examples = tfx.types.standard_artifacts.Examples
BeamComponentParameter = tfx.dsl.components.BeamComponentParameter
OutputArtifact = tfx.dsl.components.OutputArtifact
Parameter = tfx.dsl.components.Parameter

logger = logging.getLogger(__name__)


def _describe(examples: Examples, wanted: list[parts.Part]) -> None:
    examples.split_names = json.dumps(list(records.SPLITS))
    examples.set_string_custom_property("payload_format", "FORMAT_TF_EXAMPLE")
    examples.set_string_custom_property("file_format", "tfrecords_gzip")
    examples.set_string_custom_property("source_digest", parts.digest_of(wanted))
    examples.set_string_custom_property("newest_span", wanted[-1].span)


@tfx.dsl.components.component(use_beam=True)
def RecordExampleGen(
    examples: OutputArtifact[Examples],
    quarantine: OutputArtifact[Quarantine],
    report: OutputArtifact[Report],
    sources: Parameter[str],
    family: Parameter[str],
    task: Parameter[str],
    settings: Parameter[str],
    target: Parameter[str],
    source: Parameter[str],
    spans_dir: Parameter[str],
    beam_pipeline: BeamComponentParameter[beam.Pipeline] = None,
) -> None:
    """Reads labelled records into tf.Examples; unusable ones go to quarantine with a reason each.

    Args:
        examples: Splits train, eval and test.
        quarantine: What could not be used.
        report: Records per split; which a newer span has under another label; what could not be used, and why, as
            `quarantine.html` and `quarantine.jsonl`.
        sources: Dotted name of the family's module `sources`.
        family: Dotted name of the family's module `ingestion`.
        task: Dotted name of the task's module `labels`.
        settings: The family's `DataSettings` as JSON.
        target: The task's `TargetSettings` as JSON.
        source: What to read, as `parts.to_json` writes it; its digests make the cache notice new data.
        spans_dir: Keeps what was made of each span.
        beam_pipeline: Its runner and options say where the work is done; TFX makes it, of the pipeline's
            `beam_pipeline_args`.

    Raises:
        DataError: If the data is not that of `source`, or cannot be used.
    """
    of_family, of_task = plugins.load(family, families.Ingestion), plugins.load(task, tasks.Labels)
    usable = Usable(
        plugins.load(sources, families.Sources),
        of_family,
        of_task,
        of_family.DataSettings.model_validate_json(settings),
        of_task.TargetSettings.model_validate_json(target),
    )
    wanted = parts.from_json(source)
    try:
        result = ingest(
            usable,
            wanted,
            beam_pipeline,
            examples_dir=Path(examples.uri),
            quarantine_dir=Path(quarantine.uri),
            spans_dir=Path(spans_dir),
            code=runtime.current().code,
        )
    except DataError:
        _publish_failed(quarantine.uri, of_family)
        raise
    _describe(examples, wanted)
    quarantine.records = len(result.quarantined)
    result.write(report.uri)
    publish(quarantine.uri, report.uri, of_family.thumbnail)


def _publish_failed(quarantine_dir: str, family: families.Ingestion) -> None:
    """Keeps the page: the artifact of a failed execution is deleted, and its reasons are most wanted exactly then."""
    if (Path(quarantine_dir) / LISTING).is_file():  # the data was read to its end
        page = publish(quarantine_dir, runtime.current().work_dir / "report", family.thumbnail)
        logger.info("What could not be used, and why: %s", page)
