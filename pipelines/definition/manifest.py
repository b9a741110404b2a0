"""Compiles a pipeline into its manifest: what Airflow makes a DAG of.

The edges are those of the TFX pipeline itself; only `prepare`, `approve` and `close` are added around it.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from tfx import v1 as tfx

from contract import files
from contract.environment import manifests_dir
from contract.errors import SettingsError
from contract.manifest import (
    TRAINING,
    VERSION,
    Arrivals,
    Group,
    Manifest,
    ManifestError,
    Node,
    problem_of,
    read,
    training_dag_id,
)
from contract.model_server import BINARY
from pipelines.definition import form
from pipelines.definition import nodes as graph
from pipelines.definition.config import PipelineConfig
from pipelines.definition.pipeline import create_pipeline
from pipelines.definition.runtime_config import RuntimeConfig

# What a run depends on. The rest, such as the schedule and time limits, is Airflow's alone.
PARTS: dict[str, Callable[[Manifest], Any]] = {
    "form fields": lambda manifest: manifest.params,
    "tasks": lambda manifest: [(node.id, node.kind, node.upstream) for node in manifest.nodes],
}

# The graph is the same wherever it runs: nothing of a machine gets into a manifest.
NOWHERE = RuntimeConfig(
    pipeline_root="/nowhere",
    tracking_uri="http://nowhere",
    grpc_target="nowhere:0",
    models_dir="/nowhere",
    server_command=(BINARY,),
    server_version="",
    data=(),
    spans_dir="/nowhere",
)


def _edges(pipeline: tfx.dsl.Pipeline) -> dict[str, list[str]]:
    """Returns the upstream ids of every node of the TFX pipeline."""
    return {node.id: sorted(upstream.id for upstream in node.upstream_nodes) for node in pipeline.components}


def _reduced(edges: dict[str, list[str]]) -> dict[str, list[str]]:
    """Leaves out each edge that a longer path implies, so that the picture shows the order and nothing more."""

    def reaches(node: str, target: str) -> bool:
        return any(upstream == target or reaches(upstream, target) for upstream in edges[node])

    return {
        node: [
            upstream
            for upstream in upstreams
            if not any(other != upstream and reaches(other, upstream) for other in upstreams)
        ]
        for node, upstreams in edges.items()
    }


def _all_edges(config: PipelineConfig) -> dict[str, list[str]]:
    edges = {
        node: upstreams or [graph.PREPARE]
        for node, upstreams in _edges(create_pipeline(config, NOWHERE)).items()
    }
    edges[graph.PREPARE] = []
    edges[graph.APPROVE] = [graph.REGISTER]
    if unknown := sorted(set(edges) - set(graph.BY_ID)):
        raise SettingsError(
            f"Expected every node in the table of nodes, and {', '.join(unknown)} is not there."
        )
    edges = _reduced(edges)
    edges[graph.PUSH] = [
        graph.REGISTER,
        graph.APPROVE,
    ]  # push asks about both: a skipped approval is one nobody was asked for
    waited_for = {upstream for upstreams in edges.values() for upstream in upstreams}
    edges[graph.CLOSE] = sorted(set(edges) - waited_for)
    return edges


def compile_manifest(config: PipelineConfig) -> Manifest:
    """Returns the manifest of a pipeline.

    Raises:
        SettingsError: If Airflow could not make a DAG of it.
    """
    edges = _all_edges(config)
    try:
        return _manifest(config, edges)
    except ValidationError as error:
        raise SettingsError(
            f"Airflow cannot take the pipeline {config.name}: {problem_of(error)}."
        ) from error


def _manifest(config: PipelineConfig, edges: dict[str, list[str]]) -> Manifest:
    return Manifest(
        manifest_version=VERSION,
        kind=TRAINING,
        dag_id=training_dag_id(config.name),
        pipeline=config.name,
        description=config.description,
        schedule=config.schedule,
        timezone=config.timezone,
        arrivals=_arrivals(config),
        max_active_runs=1,
        params=form.schema(config),
        groups=tuple(Group(id=group, title=title, doc=doc) for group, title, doc in graph.GROUPS),
        nodes=tuple(_node(config, spec, edges[spec.id]) for spec in graph.NODES if spec.id in edges),
    )


def _arrivals(config: PipelineConfig) -> Arrivals | None:
    spans = config.source.spans
    if spans is None or not spans.starts_runs:
        return None
    return Arrivals(folder=spans.inbox, complete=spans.complete, settle_s=spans.settle_s)


def _node(config: PipelineConfig, spec: graph.NodeSpec, upstream: list[str]) -> Node:
    return Node(
        id=spec.id,
        kind=spec.kind,
        group=spec.group,
        upstream=tuple(upstream),
        **graph.resources(config, spec.id),
        doc=spec.doc,
    )


def path_of(name: str) -> Path:
    """Returns the file of a pipeline's manifest: what `slipway compile` writes and Airflow reads."""
    return manifests_dir() / f"{name}.json"


def text_of(config: PipelineConfig) -> str:
    """Returns the manifest as it stands in its file."""
    return compile_manifest(config).model_dump_json(indent=2) + "\n"


def write(config: PipelineConfig) -> bool:
    """Writes a pipeline's manifest; returns whether it changed."""
    path, text = path_of(config.name), text_of(config)
    if path.is_file() and path.read_text() == text:
        return False
    files.write(path, text)
    return True


def check_compiled(config: PipelineConfig) -> None:
    """Makes sure that the form and the graph that Airflow shows are those of the configuration.

    Args:
        config: As it stands in its file, without the values of a run.

    Raises:
        SettingsError: If the manifest is missing, unreadable, or compiled from another configuration.
    """
    path = path_of(config.name)
    fresh = compile_manifest(config)
    try:
        shown = read(path)
    except ManifestError as error:
        raise SettingsError(f"Airflow shows an older configuration: {error}") from error
    stale = [name for name, of in PARTS.items() if of(shown) != of(fresh)]
    if stale:
        raise SettingsError(
            f"Expected {path} to be what the configuration of {config.name} compiles to, and its "
            f"{' and '.join(stale)} are others: Airflow shows an older configuration. "
            "Run `make compile`, and start a new run when Airflow shows it."
        )
