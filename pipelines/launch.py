"""Runs one node of a compiled pipeline with TFX's portable launcher, and finds out how it really ended."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf import json_format
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx import v1 as tfx
from tfx.dsl.compiler import compiler, constants
from tfx.orchestration.local import runner_utils
from tfx.orchestration.metadata import Metadata
from tfx.orchestration.portable import launcher, runtime_parameter_utils
from tfx.proto.orchestration import pipeline_pb2
from tfx.types import Artifact

from components.errors import SlipwayError
from pipelines import metadata
from pipelines.metadata_store import Store

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Execution:
    """A finished execution.

    Attributes:
        id: In ML Metadata.
        cached: Whether the outputs are those of an earlier execution.
        parameters: Execution properties by name.
        inputs: Artifacts by channel.
        outputs: Artifacts by channel.
    """

    id: int
    cached: bool
    parameters: Mapping[str, Any]
    inputs: Mapping[str, Sequence[Artifact]]
    outputs: Mapping[str, Sequence[Artifact]]


def compile_run(pipeline: tfx.dsl.Pipeline, run_id: str) -> pipeline_pb2.Pipeline:
    """Returns the intermediate representation of one run of `pipeline`."""
    representation = compiler.Compiler().compile(pipeline)
    runtime_parameter_utils.substitute_runtime_parameter(
        representation, {constants.PIPELINE_RUN_ID_PARAMETER_NAME: run_id}
    )
    return representation


def to_json(representation: pipeline_pb2.Pipeline) -> dict[str, Any]:
    """Returns the representation as JSON data."""
    return json.loads(json_format.MessageToJson(representation, preserving_proto_field_name=True))


def from_json(content: Mapping[str, Any]) -> pipeline_pb2.Pipeline:
    """Reads what `to_json` wrote."""
    return json_format.ParseDict(dict(content), pipeline_pb2.Pipeline())


def node_ids(representation: pipeline_pb2.Pipeline) -> list[str]:
    """Returns the ids of all nodes, each after the nodes it waits for."""
    return [node.pipeline_node.node_info.id for node in representation.nodes]


def _outcome(store: Metadata, node_id: str, execution_id: int | None) -> Execution:
    """Reads how an execution ended; the launcher returns without an error when inputs are missing."""
    found = metadata.execution(store, execution_id) if execution_id else None
    if found is None or found.last_known_state not in metadata.SUCCESSFUL:
        state = mlmd.Execution.State.Name(found.last_known_state) if found else "not started"
        raise SlipwayError(
            f"Expected the inputs of node {node_id} among this run's own outputs, and they are not there "
            f"(its execution is {state}). A node before it was refused, failed, or has not run: clear that "
            "task, and this one follows."
        )
    return Execution(
        id=found.id,
        cached=found.last_known_state == mlmd.Execution.CACHED,
        parameters=metadata.parameters(found),
        inputs=metadata.artifacts(store, found.id, mlmd.Event.INPUT),
        outputs=metadata.artifacts(store, found.id, mlmd.Event.OUTPUT),
    )


def launch(
    representation: pipeline_pb2.Pipeline, node_id: str, connection: mlmd.ConnectionConfig
) -> Execution:
    """Runs one node: inputs from ML Metadata by run id, the cache, the executor, the outputs published.

    Args:
        representation: Of this run.
        node_id: One of `node_ids`.
        connection: To ML Metadata. The representation has none: it is kept in files, and a connection has a
            password.

    Raises:
        SlipwayError: If the run has no such node, or its inputs do not exist in this run.
        Exception: Whatever the component raises.
    """
    nodes = {node.pipeline_node.node_info.id: node.pipeline_node for node in representation.nodes}
    if node_id not in nodes:
        raise SlipwayError(f"Expected one of the nodes {', '.join(nodes)}, got {node_id!r}.")
    deployment = runner_utils.extract_local_deployment_config(representation)
    launched = launcher.Launcher(
        pipeline_node=nodes[node_id],
        mlmd_connection=Store(connection),
        pipeline_info=representation.pipeline_info,
        pipeline_runtime_spec=representation.runtime_spec,
        executor_spec=runner_utils.extract_executor_spec(deployment, node_id),
        custom_driver_spec=runner_utils.extract_custom_driver_spec(deployment, node_id),
    ).launch()
    with Store(connection) as store:
        return _outcome(store, node_id, launched.execution_id if launched else None)
