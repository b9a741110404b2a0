"""Compiles a pipeline into its manifest: the JSON that Airflow draws.

The edges are those of the TFX pipeline itself; only `prepare`, `approve` and `close` are added around it.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tfx import v1 as tfx

from contract.errors import SettingsError
from pipelines.definition import form
from pipelines.definition import nodes as graph
from pipelines.definition.config import PipelineConfig, manifests_dir
from pipelines.definition.pipeline import Placement, create_pipeline

VERSION = 1

# What a run depends on. The rest, such as the schedule and time limits, is Airflow's alone.
PARTS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "form fields": lambda manifest: manifest["params"],
    "tasks": lambda manifest: [(node["id"], node["kind"], node["upstream"]) for node in manifest["nodes"]],
}

# The graph is the same wherever it runs: nothing of a machine gets into a manifest.
NOWHERE = Placement(
    pipeline_root="/nowhere",
    tracking_uri="http://nowhere",
    grpc_target="nowhere:0",
    models_dir="/nowhere",
    server_command=("tensorflow_model_server",),
    server_version="",
    source_digest="",
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
        node: upstreams or ["prepare"] for node, upstreams in _edges(create_pipeline(config, NOWHERE)).items()
    }
    edges["prepare"] = []
    edges["approve"] = ["register"]
    edges = _reduced(edges)
    edges["push"] = [
        "register",
        "approve",
    ]  # push asks about both: a skipped approval is one nobody was asked for
    waited_for = {upstream for upstreams in edges.values() for upstream in upstreams}
    edges["close"] = sorted(set(edges) - waited_for)
    return edges


def compile_manifest(config: PipelineConfig) -> dict[str, Any]:
    """Returns the manifest of a pipeline."""
    edges = _all_edges(config)
    specs = [spec for spec in graph.NODES if spec.id in edges]
    return {
        "manifest_version": VERSION,
        "pipeline": config.name,
        "description": config.description,
        "schedule": config.schedule,
        "timezone": config.timezone,
        "max_active_runs": 1,
        "params": form.schema(config),
        "groups": [{"id": group, "title": title, "doc": doc} for group, title, doc in graph.GROUPS],
        "nodes": [
            {
                "id": spec.id,
                "kind": spec.kind,
                "group": spec.group,
                "upstream": edges[spec.id],
                **graph.resources(config, spec.id).model_dump(),
                "doc": spec.doc,
            }
            for spec in specs
        ],
    }


def path_of(name: str) -> Path:
    """Returns the file of a pipeline's manifest: what `slipway compile` writes and Airflow reads."""
    return manifests_dir() / f"{name}.json"


def text_of(config: PipelineConfig) -> str:
    """Returns the manifest as it stands in its file."""
    return json.dumps(compile_manifest(config), indent=2) + "\n"


def write(config: PipelineConfig) -> bool:
    """Writes a pipeline's manifest; returns whether it changed."""
    path, text = path_of(config.name), text_of(config)
    if path.is_file() and path.read_text() == text:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text)
    draft.replace(path)
    return True


def check_drawn(config: PipelineConfig) -> None:
    """Makes sure that the form and the graph that Airflow draws are those of the configuration.

    Args:
        config: As it stands in its file, without the values of a run.

    Raises:
        SettingsError: If the manifest is missing, or compiled from another configuration.
    """
    path = path_of(config.name)
    drawn = json.loads(path.read_text()) if path.is_file() else {}
    fresh = compile_manifest(config)
    stale = [name for name, of in PARTS.items() if not drawn or of(drawn) != of(fresh)]
    if stale:
        raise SettingsError(
            f"Expected {path} to be what the configuration of {config.name} compiles to, and its "
            f"{' and '.join(stale)} are others: Airflow draws an older configuration. "
            "Run `make compile`, and start a new run when Airflow shows it."
        )
