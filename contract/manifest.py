"""The manifest: what a pipeline is compiled to and what Airflow makes a DAG of. The one definition of its format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from contract.errors import SettingsError

VERSION: Literal[2] = 2
TRAINING = "training"
LONGEST_SHOWN = 80

Kind = Literal["component", "prepare", "approval", "close"]


class Pool(NamedTuple):
    """An Airflow pool that nodes may name beyond Airflow's own."""

    name: str
    slots: int
    description: str


DEFAULT_POOL = "default_pool"  # Airflow's own
GPU_POOL = Pool("gpu", 1, "One training at a time")


class ManifestError(SettingsError):
    """A manifest is malformed, or no DAG can be made of it."""


def training_dag_id(pipeline: str) -> str:
    """Returns the id of the DAG that trains a pipeline's model."""
    return f"train_{pipeline}"


def _known_timezone(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (OSError, ValueError, ZoneInfoNotFoundError) as error:
        raise ValueError("must be a name such as Europe/Berlin") from error


def _with_default(schema: dict[str, Any]) -> dict[str, Any]:
    if "default" not in schema:
        raise ValueError("must have a default")
    return schema


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Group(_Part):
    """A box that tasks are shown in."""

    id: str
    """Unique in the manifest."""

    title: str
    """What the box is called."""

    doc: str
    """What it is for, in a sentence."""


class Arrivals(_Part):
    """What tells that a span is complete, where that starts a run: see `contract/inbox.py`."""

    folder: str
    """Of the inbox; that of the pipeline in the state folder where it is empty."""

    complete: Literal["settled", "marker"]
    """When a span counts."""

    settle_s: float = Field(ge=0)
    """Seconds without a change."""


class Node(_Part):
    """One task."""

    id: str
    """Unique in the manifest."""

    kind: Kind
    """Which operator runs it."""

    group: str | None
    """Id of its group; null for none."""

    upstream: tuple[str, ...]
    """Ids of the nodes that it waits for."""

    pool: str
    """Airflow pool."""

    timeout_s: float = Field(ge=1)
    """Seconds after which an attempt is stopped."""

    retries: int = Field(ge=0)
    """Further attempts after a failure that another attempt can cure."""

    retry_delay_s: float = Field(ge=0)
    """Seconds before the first further attempt."""

    doc: str
    """Markdown for the person who looks at the task."""


class Manifest(_Part):
    """One DAG of one pipeline."""

    manifest_version: Literal[2]
    """Of this format: `VERSION`."""

    kind: str
    """What the DAG is for, such as `training`: says which DAG file builds it."""

    dag_id: str
    """Of the DAG, unique among all."""

    pipeline: str
    """Name of the pipeline, and of the file."""

    description: str
    """Markdown, shown as the documentation of the DAG."""

    schedule: str | None
    """Cron expression; null for runs by hand alone."""

    timezone: Annotated[str, AfterValidator(_known_timezone)]
    """Of the schedule."""

    arrivals: Arrivals | None = None
    """Of data that starts a run besides the schedule; null for none."""

    max_active_runs: int = Field(ge=1)
    """How many runs may go on at once."""

    params: dict[str, Annotated[dict[str, Any], AfterValidator(_with_default)]]
    """JSON schema of each field of the trigger form, by its dotted name."""

    groups: tuple[Group, ...]
    """In the order they are shown in."""

    nodes: tuple[Node, ...]
    """The tasks and what each waits for."""

    @model_validator(mode="after")
    def _graph_can_run(self) -> Manifest:
        check_graph(self.nodes, groups={group.id for group in self.groups})
        return self

    def of_kind(self, kind: str) -> tuple[Node, ...]:
        """Returns the nodes of one kind."""
        return tuple(node for node in self.nodes if node.kind == kind)


def read(path: Path) -> Manifest:
    """Reads one manifest.

    Raises:
        ManifestError: If it is not of this format; names the file and the field, what was expected and what was
            there.
    """
    try:
        manifest = Manifest.model_validate_json(path.read_bytes())
        if manifest.pipeline != path.stem:
            raise ValueError(
                f"pipeline must be {path.stem!r}, as the file is called, got {manifest.pipeline!r}"
            )
    except (OSError, ValueError) as error:
        what = problem_of(error) if isinstance(error, ValidationError) else str(error)
        raise ManifestError(f"{path}: {what}. Write it anew with `slipway compile`.") from error
    return manifest


def problem_of(error: ValidationError) -> str:
    """Says what is wrong with a manifest: the first thing, which in one of another version is its version."""
    found = error.errors()[0]
    where = "".join(_step(part) for part in found["loc"]).removeprefix(".")
    if found["type"] == "missing":
        return f"{where} is missing"
    cause = found.get("ctx", {}).get("error")
    if cause is not None and not where:
        return str(cause)
    expected = str(cause) if cause is not None else found["msg"].replace("Input should be", "must be")
    return f"{where or 'the file'} {expected}, got {_shown(found['input'])}"


def _step(part: int | str) -> str:
    return f".{part}" if isinstance(part, str) and part.isidentifier() else f"[{part!r}]"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 3]}..."


def check_graph(nodes: Collection[Node], *, groups: Collection[str]) -> None:
    """Checks what each node names, and that a run has a beginning and an end.

    Raises:
        ValueError: If Airflow could not take the graph, or would run it in the wrong order.
    """
    kinds = {node.id: node.kind for node in nodes}
    for kind in ("prepare", "close"):
        if (count := Counter(kinds.values())[kind]) != 1:
            raise ValueError(f"nodes must hold one of kind {kind!r}, got {count}")
    if repeated := [name for name, count in Counter(node.id for node in nodes).items() if count > 1]:
        raise ValueError(f"nodes must have different ids, got {repeated[0]!r} more than once")
    for node in nodes:
        _check_node(node, kinds, groups)
    try:
        TopologicalSorter({node.id: node.upstream for node in nodes}).prepare()
    except CycleError as error:
        raise ValueError(f"nodes must not wait for each other: {' -> '.join(error.args[1])}") from error


def _check_node(node: Node, kinds: Mapping[str, str], groups: Collection[str]) -> None:
    where = f"node {node.id!r}"
    if node.group is not None:
        _expect_one_of(f"{where}: group", node.group, groups)
    for upstream in node.upstream:
        _expect_one_of(f"{where}: upstream", upstream, kinds)
    if node.upstream and all(kinds[upstream] == "approval" for upstream in node.upstream):
        raise ValueError(
            f"{where}: upstream must also name what the approval waits for, got only {_shown(node.upstream)}; "
            "a skipped approval would skip it too"
        )
    if (node.kind == "prepare") == bool(node.upstream):
        raise ValueError(f"{where}: upstream must be empty for kind 'prepare' and for no other")


def _expect_one_of(where: str, value: str, allowed: Collection[str]) -> None:
    if value not in allowed:
        raise ValueError(f"{where} must be one of {', '.join(sorted(allowed))}, got {_shown(value)}")
