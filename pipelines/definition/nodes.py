"""What each node of an image pipeline is: its place on the screen, its words, its default resources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from pipelines.definition.config import PipelineConfig

GROUPS = (
    ("data", "Data", "From raw records to examples that are fit to train on."),
    ("model", "Model", "Train, judge, compress, judge again."),
    ("release", "Release", "A real server, a registry version, and live traffic."),
)


class NodeResources(BaseModel):
    """What a node may use of the machine, and how often it is tried."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pool: str = "default_pool"
    """Airflow pool; `gpu` for nodes that take the accelerator."""

    timeout_s: float = Field(900, gt=0)
    """Seconds after which an attempt is stopped."""

    retries: int = Field(2, ge=0, le=20)
    """Further attempts after a failure that another attempt can cure."""

    retry_delay_s: float = Field(10, ge=0)
    """Seconds before the first further attempt; doubled for each one after it."""


@dataclass(frozen=True)
class NodeSpec:
    """One node: id, kind of task, group, and Markdown for the person who looks at it."""

    id: str
    kind: str
    group: str | None
    doc: str


NODES = (
    NodeSpec(
        "prepare",
        "prepare",
        None,
        "Checks the form's values, resolves the configuration, compiles this run, opens its MLflow run.",
    ),
    NodeSpec(
        "ingest",
        "component",
        "data",
        "Reads the source into tf.Examples, split by a hash of each image. Unreadable records go to "
        "quarantine with a reason each; too many of them fail the task.",
    ),
    NodeSpec("statistics", "component", "data", "TFX StatisticsGen: statistics of every feature and split."),
    NodeSpec(
        "schema",
        "component",
        "data",
        "The schema that the data is held to: curated in the repository, else the one accepted last (TFX "
        "ImportSchemaGen). The first run infers one (TFX SchemaGen), which is accepted when its data is validated.",
    ),
    NodeSpec("anomalies", "component", "data", "TFX ExampleValidator: the statistics against the schema."),
    NodeSpec(
        "validate",
        "component",
        "data",
        "Great Expectations on facts of every image, the anomalies, and drift from the last accepted data. Any "
        "broken expectation fails the task; the Data Docs are on its MLflow run.",
    ),
    NodeSpec(
        "augment",
        "component",
        "data",
        "Enlarges the train split by varied copies, seeded. Evaluation data stays as it is.",
    ),
    NodeSpec(
        "train",
        "component",
        "model",
        "TFX Trainer under MirroredStrategy over all visible devices. Resumes at the last complete epoch when "
        "tried again on the same data, settings and code. Curves grow on its MLflow run.",
    ),
    NodeSpec(
        "evaluate",
        "component",
        "model",
        "TFX Evaluator: metrics per class, absolute gates, and the change from the live model, overall and per "
        "class. A model that is not good enough is *refused*: this task and what follows are skipped, and the "
        "reason is in the log.",
    ),
    NodeSpec(
        "compress",
        "component",
        "model",
        "Prunes, then trains quantization-aware with the zeros preserved (PQAT); SavedModel and int8 TFLite.",
    ),
    NodeSpec(
        "evaluate_compressed",
        "component",
        "model",
        "TFX Evaluator on the compressed model, which is the one that goes live: the same gates as `evaluate`, "
        "and the loss from the float model. Not good enough, or too much lost: *refused*.",
    ),
    NodeSpec(
        "infra_validate",
        "component",
        "release",
        "Starts a real model server on the candidate, compares its answers, measures latency, writes the warm-up "
        "file. Cannot load, wrong, or too slow: *refused*.",
    ),
    NodeSpec(
        "register",
        "component",
        "release",
        "Registers the SavedModel byte for byte as a new MLflow version with the alias `challenger`.",
    ),
    NodeSpec(
        "approve",
        "approval",
        "release",
        "Asks a person when the run's promotion mode is `approval`; skipped when it is `auto`.",
    ),
    NodeSpec(
        "push",
        "component",
        "release",
        "Moves the alias `champion`, has TensorFlow Serving load the version, asks it, then moves the label "
        "`stable`. If it does not serve, everything is put back and the task fails.",
    ),
    NodeSpec(
        "close",
        "close",
        None,
        "Ends the MLflow run in the right state and writes the summary, whatever happened.",
    ),
)

DEFAULTS = {
    "prepare": NodeResources(timeout_s=600),
    "approve": NodeResources(timeout_s=24 * 3600, retries=0),
    "close": NodeResources(timeout_s=600),
}

# The type that TFX gives to the nodes which only `prepare` runs.
IMPORTER = "tfx.dsl.components.common.importer.Importer"

# What they answer depends on the registry and the model server, which no cache key knows.
NEVER_CACHED = ("register", "push")


def resources(config: PipelineConfig, node: str) -> NodeResources:
    """Returns what a node may use: the configuration's word, else the default."""
    return config.resources.get(node) or DEFAULTS.get(node) or NodeResources()
