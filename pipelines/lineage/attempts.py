"""Each attempt at a node is an execution of its own in ML Metadata, and the newest attempt is the one that counts.

TFX hands a node the outputs of all executions of its producer in the run. So each attempt gets a context of its
own, and a node's inputs ask for the context of the newest attempt at each producer.
"""

import secrets
from collections import defaultdict
from collections.abc import Iterable, Mapping

from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.dsl.compiler.constants import PIPELINE_RUN_CONTEXT_TYPE_NAME
from tfx.orchestration.metadata import Metadata
from tfx.orchestration.portable.mlmd import execution_lib
from tfx.proto.orchestration import pipeline_pb2

ATTEMPT = "slipway_attempt"
_Artifacts = dict[tuple[str, str], set[int]]
"""Ids of artifacts by node and channel."""

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


def overtaken(
    store: Metadata, nodes: Mapping[str, pipeline_pb2.PipelineNode], node_id: str
) -> tuple[str, str] | None:
    """Returns a node before `node_id` that has read what a newer attempt at its producer replaced, and the producer.

    `None` where there is none: every verdict on the way to the node is one on what counts now. An attempt that the
    cache answered puts out what was there before, and replaces nothing.

    Args:
        store: Open connection.
        nodes: Of a compiled run, each after the nodes it waits for; those that do not count are left out.
        node_id: One of them.
    """
    before: set[str] = set()
    for each in reversed(list(nodes)):
        if each == node_id or each in before:
            before.update(nodes[each].upstream_nodes)
    read, made = _artifacts(store, nodes[node_id])
    for each in (name for name in nodes if name in before):
        for key, inputs in nodes[each].inputs.inputs.items():
            for channel in inputs.channels:
                producer = channel.producer_node_query.id
                if producer in nodes and read[each, key] not in (set(), made[producer, channel.output_key]):
                    return each, producer
    return None


def _artifacts(store: Metadata, node: pipeline_pb2.PipelineNode) -> tuple[_Artifacts, _Artifacts]:
    """Returns what the newest attempt at each node of the run of `node` has read, and what it has made."""
    (run,) = [each for each in node.contexts.contexts if each.type.name == PIPELINE_RUN_CONTEXT_TYPE_NAME]
    newest: dict[str, int] = {}
    for execution in sorted(_all(store, [run]), key=lambda each: each.id):
        if name := _attempt_of(store, execution.id):
            newest[name.rpartition(".")[0]] = execution.id
    node_of = {execution: name for name, execution in newest.items()}
    read: _Artifacts = defaultdict(set)
    made: _Artifacts = defaultdict(set)
    for event in store.store.get_events_by_execution_ids(list(node_of)) if node_of else ():
        side = {mlmd.Event.INPUT: read, mlmd.Event.OUTPUT: made}.get(event.type)
        if side is not None:
            side[node_of[event.execution_id], event.path.steps[0].key].add(event.artifact_id)
    return read, made


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
    return _attempt_of(store, max(each.id for each in executions))


def _attempt_of(store: Metadata, execution_id: int) -> str | None:
    """Returns the name of the attempt that an execution is; `None` for one that was not launched by us."""
    type_ids = [found.id for found in store.store.get_context_types() if found.name == ATTEMPT]
    contexts = store.store.get_contexts_by_execution(execution_id)
    return next((found.name for found in contexts if found.type_id in type_ids), None)
