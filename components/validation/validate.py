"""Holds data against everything that is expected of it, and says what it breaks."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam

from components import plugins
from components.families import interface as families
from components.families.sections import ValidationSettings
from components.report import write
from components.tasks import interface as tasks
from components.validation import anomalies, drift, expectations
from components.validation.expectations import Labels
from components.validation.facts import facts_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Data:
    """Folders of artifacts.

    Attributes:
        examples: The data.
        statistics: Its statistics.
        schema: That it is held to.
        anomalies: What ExampleValidator found.
        accepted_statistics: Of the last accepted data; `None` on the first run.
        accepted_facts: The same, as FactDistributions; `None` too where none were kept of it.
        accepted_by: Who accepted it, and when; empty where validation did.
    """

    examples: str
    statistics: str
    schema: str
    anomalies: str
    accepted_statistics: str | None = None
    accepted_facts: str | None = None
    accepted_by: str = ""


@dataclass(frozen=True)
class Expected:
    """What is expected.

    Attributes:
        family: Facts of the records.
        settings: The family's `ValidationSettings`.
        record: What a record is.
        labels: What is expected of them.
    """

    family: families.Facts
    settings: ValidationSettings
    record: Any
    labels: Labels

    @classmethod
    def of(
        cls, family: str, task: str, settings: str, label_settings: str, record: str, target: str
    ) -> "Expected":
        """Reads what a node is told.

        Args:
            family: Dotted name of the family's module `facts`.
            task: Dotted name of the task's module `facts`.
            settings: The family's `ValidationSettings` as JSON.
            label_settings: The task's `ValidationSettings` as JSON.
            record: The family's `RecordSettings` as JSON.
            target: The task's `TargetSettings` as JSON.
        """
        of_family, of_task = plugins.load(family, families.Facts), plugins.load(task, tasks.Facts)
        return cls(
            of_family,
            of_family.ValidationSettings.model_validate_json(settings),
            of_family.RecordSettings.model_validate_json(record),
            Labels(
                of_task,
                of_task.TargetSettings.model_validate_json(target),
                of_task.ValidationSettings.model_validate_json(label_settings),
            ),
        )


@dataclass(frozen=True)
class Findings:
    """A sentence for everything that the data breaks.

    Attributes:
        expectations: Of the suite.
        anomalies: Against the schema.
        drift: From the last accepted data.
    """

    expectations: Sequence[str]
    anomalies: Sequence[str]
    drift: Sequence[str]

    @property
    def all(self) -> list[str]:
        """All of them."""
        return [*self.expectations, *self.anomalies, *self.drift]


def validate(
    data: Data, expected: Expected, *, report_dir: str, facts_dir: str, run_name: str, pipeline: beam.Pipeline
) -> Findings:
    """Checks the data, and writes a report with Data Docs and how the facts are distributed.

    Args:
        data: In question.
        expected: Of it.
        report_dir: Folder of the Report artifact.
        facts_dir: Folder of the FactDistributions artifact.
        run_name: On the Data Docs.
        pipeline: Makes the facts: see `facts_of`.

    Raises:
        SettingsError: If an expectation of the configuration is none on these facts.
    """
    suite = expectations.suite(expected.settings, expected.family, expected.record, expected.labels)
    table = facts_of(
        data.examples,
        expected.family,
        expected.labels.task,
        expected.record,
        pipeline=pipeline,
        shared_dir=report_dir,
    )
    made = drift.of(table, list(expected.family.drifting(expected.record)))
    drift.write(Path(facts_dir), made)
    broken = expectations.run(table, suite, docs_dir=Path(report_dir) / "data_docs", run_name=run_name)
    distances, drifts = _compared(data, expected, made)
    findings = Findings(broken, anomalies.schema_anomalies(data.anomalies), drifts)
    write(
        report_dir,
        metrics={
            "broken_expectations": len(findings.all),
            "records": len(table),
            **{f"drift_{name}": far for name, far in distances.items()},
        },
    )
    table.describe().to_json(Path(report_dir) / "facts.json", indent=2)
    return findings


def _compared(
    data: Data, expected: Expected, made: drift.Distributions
) -> tuple[dict[str, float], list[str]]:
    """Returns how far each fact lies from that of the last accepted data, and a sentence for each limit passed."""
    if data.accepted_statistics is None:
        return {}, []
    if data.accepted_by:
        logger.info("The data is compared with data that a person has accepted: %s", data.accepted_by)
    limit = expected.settings.max_label_drift
    drifts = (
        anomalies.label_drift(data.statistics, data.accepted_statistics, data.schema, limit=limit)
        if limit is not None
        else []
    )
    if data.accepted_facts is None:
        logger.warning(
            "Facts and the number of records are not compared with the last accepted data, of which none were kept. "
            "Those of this run are, and the next run is compared with them."
        )
        return {}, drifts
    accepted, drifting = drift.read(Path(data.accepted_facts)), expected.family.drifting(expected.record)
    beyond = drift.beyond(made, accepted, drifting, expected.settings)
    return drift.distances(made, accepted), [*drifts, *beyond]
