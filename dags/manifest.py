"""What Airflow draws: one compiled manifest, read from JSON and checked.

Standard library only; knows nothing of Airflow.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dags.manifest_rules import ManifestError, Record, check_graph

VERSION = 1


@dataclass(frozen=True)
class Group:
    """A box that tasks are drawn in."""

    id: str
    title: str
    doc: str


@dataclass(frozen=True)
class Node:
    """One task.

    `upstream` are the ids of the nodes that it waits for; `kind` says which operator draws it.
    """

    id: str
    kind: str
    group: str | None
    upstream: tuple[str, ...]
    pool: str
    timeout_s: float
    retries: int
    retry_delay_s: float
    doc: str


@dataclass(frozen=True)
class Manifest:
    """One pipeline.

    `schedule` is a cron expression or None; `params` holds the JSON schema of each field of the trigger form,
    by its dotted name.
    """

    pipeline: str
    description: str
    schedule: str | None
    timezone: str
    max_active_runs: int
    params: Mapping[str, Mapping[str, Any]]
    groups: tuple[Group, ...]
    nodes: tuple[Node, ...]

    def of_kind(self, kind: str) -> tuple[Node, ...]:
        """The nodes of one kind."""
        return tuple(node for node in self.nodes if node.kind == kind)


def read(path: Path) -> Manifest:
    """Reads one manifest.

    Raises:
        ManifestError: If it is not what this version of Airflow's side draws; names the file and the field,
            what was expected and what was there.
    """
    try:
        return _manifest(Record("", json.loads(path.read_text(encoding="utf-8"))), stem=path.stem)
    except (OSError, ValueError) as error:
        raise ManifestError(f"{path}: {error} Write it anew with `slipway compile`.") from error


def _manifest(record: Record, *, stem: str) -> Manifest:
    record.take_exactly("manifest_version", VERSION)
    record.take_exactly("pipeline", stem)
    manifest = Manifest(
        pipeline=stem,
        description=record.take("description", str),
        schedule=record.take("schedule", str, type(None)),
        timezone=_timezone(record.take("timezone", str)),
        max_active_runs=record.take_number("max_active_runs", int, at_least=1),
        params={name: _param(field) for name, field in record.fields("params")},
        groups=tuple(_group(item) for item in record.items("groups")),
        nodes=tuple(_node(item) for item in record.items("nodes")),
    )
    check_graph(manifest.nodes, groups={group.id for group in manifest.groups})
    return manifest


def _timezone(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (OSError, ValueError, ZoneInfoNotFoundError) as error:
        raise ManifestError(f"timezone must be a name such as Europe/Berlin, got {name!r}.") from error


def _param(record: Record) -> Mapping[str, Any]:
    record.take("default", object)
    return record.value


def _group(record: Record) -> Group:
    return Group(id=record.take("id", str), title=record.take("title", str), doc=record.take("doc", str))


def _node(record: Record) -> Node:
    return Node(
        id=record.take("id", str),
        kind=record.take("kind", str),
        group=record.take("group", str, type(None)),
        upstream=tuple(record.take("upstream", list)),
        pool=record.take("pool", str),
        timeout_s=record.take_number("timeout_s", int, float, at_least=1),
        retries=record.take_number("retries", int, at_least=0),
        retry_delay_s=record.take_number("retry_delay_s", int, float, at_least=0),
        doc=record.take("doc", str),
    )
