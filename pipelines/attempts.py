"""Each attempt at a node is an execution of its own in ML Metadata, and the newest attempt is the one that counts.

TFX hands a node the outputs of all executions of its producer in the run. So each attempt gets a context of its
own, and a node's inputs ask for the context of the newest attempt at each producer.
"""

import secrets
from collections.abc import Iterable

from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.orchestration.metadata import Metadata
from tfx.orchestration.portable.mlmd import execution_lib
from tfx.proto.orchestration import pipeline_pb2

ATTEMPT = "slipway_attempt"
UNFINISHED = (mlmd.Execution.NEW, mlmd.Execution.RUNNING)


def begin(store: Metadata, node: pipeline_pb2.PipelineNode) -> pipeline_pb2.PipelineNode:
    """Returns the node as it is launched this time; it reads the outputs that count now.

    An earlier attempt that was killed before it could say so is marked as canceled.

    Args:
        store: Open connection.
        node: Of a compiled run.
    """
    attempt = pipeline_pb2.PipelineNode()
    attempt.CopyFrom(node)
    own = attempt.contexts.contexts.add()
    own.type.name = ATTEMPT
    own.name.field_value.string_value = f"{node.node_info.id}.{secrets.token_hex(8)}"
    for inputs in attempt.inputs.inputs.values():
        for channel in inputs.channels:
            if name := _newest(store, channel.context_queries):
                query = channel.context_queries.add()
                query.type.name = ATTEMPT
                query.name.field_value.string_value = name
    killed = [each for each in _all(store, node.contexts.contexts) if each.last_known_state in UNFINISHED]
    for each in killed:
        each.last_known_state = mlmd.Execution.CANCELED
    if killed:
        store.store.put_executions(killed)
    return attempt


def _all(
    store: Metadata,
    contexts: Iterable[pipeline_pb2.ContextSpec | pipeline_pb2.InputSpec.Channel.ContextQuery],
) -> list[mlmd.Execution]:
    """Returns the attempts at the node that the contexts of pipeline, run and node single out."""
    found = [
        store.store.get_context_by_type_and_name(each.type.name, each.name.field_value.string_value)
        for each in contexts
    ]
    if None in found:
        return []
    return list(execution_lib.get_executions_associated_with_all_contexts(store, found))


def _newest(store: Metadata, queries: Iterable[pipeline_pb2.InputSpec.Channel.ContextQuery]) -> str | None:
    """Returns the name of the newest attempt at a producer, `None` where there was none."""
    executions = _all(store, queries)
    if not executions:
        return None
    newest = max(executions, key=lambda each: each.id)
    (type_id,) = [found.id for found in store.store.get_context_types() if found.name == ATTEMPT]
    names = [
        found.name for found in store.store.get_contexts_by_execution(newest.id) if found.type_id == type_id
    ]
    return names[0] if names else None
