"""When the cache may answer: TFX found the key, and the files of that execution are still what they were.

TFX itself looks no further than whether a folder exists. So every execution keeps the digests of its outputs,
published in the same breath as its success; as a property of the execution they change no key downstream. What lies
there as it lay when it was compared last is not read for it: docs/decisions/0019-outputs-are-told-by-their-listing.md.
"""

import functools
import json
import logging
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.protobuf import message
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.dsl.compiler import constants
from tfx.orchestration import data_types_utils
from tfx.orchestration.metadata import Metadata
from tfx.orchestration.portable import (
    beam_executor_operator,
    cache_utils,
    data_types,
    inputs_utils,
    outputs_utils,
    python_executor_operator,
)
from tfx.orchestration.portable.input_resolution.exceptions import InputResolutionError
from tfx.orchestration.portable.mlmd import execution_lib
from tfx.proto.orchestration import executable_spec_pb2, execution_result_pb2, pipeline_pb2, placeholder_pb2
from tfx.types import Artifact

from components.storage.listing import Known
from contract import files
from pipelines.lineage import metadata
from serving import digest

DIGESTS = "slipway_output_digests"

logger = logging.getLogger(__name__)


def _digest(path: Path) -> str:
    return files.sha256(path) if path.is_file() else digest.of_folder(path)


def _digests(outputs: Mapping[str, Sequence[Artifact]]) -> dict[str, str]:
    return {each.uri: _digest(Path(each.uri)) for artifacts in outputs.values() for each in artifacts}


def _make_empty(outputs: Mapping[str, Sequence[Artifact]]) -> None:
    """Has an executor write into empty folders: a reader takes all that it finds in one.

    A folder is called by the number of its execution, and another store of ML Metadata, or an older state of this one,
    has given that number before.
    """
    made = [each for artifacts in outputs.values() for each in artifacts if not each.is_external]
    for folder in (Path(each.uri) for each in made):
        if folder.is_dir() and any(folder.iterdir()):
            logger.warning(
                "%s is emptied: an execution that ML Metadata does not know has left something", folder
            )
            shutil.rmtree(folder)
            folder.mkdir()


class _Keeping:
    """Runs an executor and keeps the digests of what it wrote."""

    def run_executor(self, execution_info: data_types.ExecutionInfo) -> execution_result_pb2.ExecutorOutput:
        """Runs it; the launcher publishes what is returned."""
        _make_empty(execution_info.output_dict)
        output = super().run_executor(execution_info)  # type: ignore[misc]  # the operator mixed in
        kept = json.dumps(_digests(execution_info.output_dict))
        output.execution_properties[DIGESTS].string_value = kept
        return output


class _PythonOperator(_Keeping, python_executor_operator.PythonExecutorOperator):
    """For executors that are plain Python."""


class _BeamOperator(_Keeping, beam_executor_operator.BeamExecutorOperator):
    """For executors that run Beam; `arguments` say where."""

    def __init__(
        self,
        executor_spec: message.Message,
        platform_config: message.Message | None = None,
        *,
        arguments: Sequence[placeholder_pb2.PlaceholderExpression] = (),
    ) -> None:
        super().__init__(executor_spec, platform_config)
        self.beam_pipeline_args.extend(arguments)


def apart(executor: message.Message | None) -> tuple[message.Message | None, Mapping[Any, Any]]:
    """Takes what says where Beam runs out of an executor's specification, and hands it to the operator instead.

    A specification is part of the key, and what comes out is the same wherever it is computed.

    Returns:
        The specification without, and what runs executors, by the kind of their specification.
    """
    beam = executable_spec_pb2.BeamExecutableSpec
    operators = {executable_spec_pb2.PythonClassExecutableSpec: _PythonOperator, beam: _BeamOperator}
    if not isinstance(executor, beam):
        return executor, operators
    anywhere = beam(python_executor_spec=executor.python_executor_spec)
    arguments = executor.beam_pipeline_args_placeholders
    return anywhere, {**operators, beam: functools.partial(_BeamOperator, arguments=arguments)}


@dataclass(frozen=True)
class Lookup:
    """What the cache has to say about a node.

    Attributes:
        key: Over inputs, parameters, code and libraries; empty where there are no inputs to make it from.
        run_id: Run whose execution made the outputs; empty where the cache has none.
        digests: By URI of each output, the digest it was published with; empty where none was noted.
    """

    key: str = ""
    run_id: str = ""
    digests: Mapping[str, str] = field(default_factory=dict)

    def problem(self, known: Known) -> str:
        """Looks at the outputs as they are now; says why they cannot be used, nothing where they can.

        Args:
            known: What outputs held when they were read before: one that is unchanged since is not read again.
        """
        for uri, noted in self.digests.items():
            if not Path(uri).exists():
                return f"{uri} is missing"
            if not noted:
                return f"nothing was noted that {uri} could be compared with"
            try:
                if not known.is_still(Path(uri), noted, _digest):
                    return f"{uri} has been altered"
            except FileNotFoundError:
                return f"{uri} was removed while it was read"
        return ""

    def has_verified(self, outputs: Mapping[str, Sequence[Artifact]]) -> bool:
        """Returns whether `problem` has looked at what a node was answered with.

        Where retention took what it found, or another run published a newer answer, TFX has chosen by itself since.
        What has no key is not answered by the cache.
        """
        return not self.key or all(each.uri in self.digests for made in outputs.values() for each in made)


def look_up(
    store: Metadata,
    node: pipeline_pb2.PipelineNode,
    pipeline_ir: pipeline_pb2.Pipeline,
    executor: message.Message,
) -> Lookup:
    """Finds the key of a node, and the execution that the launcher would answer from.

    Args:
        store: Open connection.
        node: As it will be launched.
        pipeline_ir: Of its run.
        executor: Specification of the node's executor.
    """
    try:
        resolved = inputs_utils.resolve_input_artifacts(pipeline_node=node, metadata_handle=store)
    except InputResolutionError:
        return Lookup()  # the launcher says so itself
    if len(resolved) != 1:
        return Lookup()
    outputs = outputs_utils.OutputsResolver(node, pipeline_ir.pipeline_info, pipeline_ir.runtime_spec)
    context = cache_utils.get_cache_context(
        store,
        pipeline_node=node,
        pipeline_info=pipeline_ir.pipeline_info,
        executor_spec=executor,
        input_artifacts=resolved[0],
        output_artifacts=outputs.generate_output_artifacts(0),  # the key leaves out where outputs lie
        parameters=data_types_utils.build_parsed_value_dict(
            inputs_utils.resolve_parameters_with_schema(node_parameters=node.parameters)
        ),
    )
    found = store.store.get_executions_by_context(context.id)
    newest_first = execution_lib.sort_executions_newest_to_oldest(
        each for each in found if each.last_known_state in metadata.SUCCESSFUL
    )
    usable = next((each.id for each in newest_first if _is_live(store, each.id)), None)
    return _found(store, context.name, usable) if usable else Lookup(context.name)


def _is_live(store: Metadata, execution_id: int) -> bool:
    """Returns whether TFX may answer from an execution: it passes over one with an artifact that is noted as gone."""
    outputs = metadata.artifacts(store, execution_id, mlmd.Event.OUTPUT).values()
    return all(each.mlmd_artifact.state == mlmd.Artifact.LIVE for made in outputs for each in made)


def _found(store: Metadata, key: str, execution_id: int) -> Lookup:
    made_by = origin(store, execution_id)
    kept = json.loads(made_by.custom_properties[DIGESTS].string_value or "{}")
    outputs = metadata.artifacts(store, execution_id, mlmd.Event.OUTPUT).values()
    digests = {each.uri: kept.get(each.uri, "") for artifacts in outputs for each in artifacts}
    return Lookup(key, run_of(store, made_by.id), digests)


def origin(store: Metadata, execution_id: int) -> mlmd.Execution:
    """Returns the execution that really made the outputs of an execution: itself, or the one it was answered from."""
    events = store.store.get_events_by_execution_ids([execution_id])
    outputs = [event.artifact_id for event in events if event.type == mlmd.Event.OUTPUT]
    makers = _ids(store.store.get_events_by_artifact_ids(outputs)) | {execution_id}
    found = store.store.get_executions_by_id(sorted(makers))
    return next((each for each in found if each.last_known_state == mlmd.Execution.COMPLETE), found[0])


def _ids(events: Iterable[mlmd.Event]) -> set[int]:
    return {event.execution_id for event in events if event.type == mlmd.Event.OUTPUT}


def run_of(store: Metadata, execution_id: int) -> str:
    """Returns the id of the run that an execution belongs to."""
    (kind,) = [
        each.id
        for each in store.store.get_context_types()
        if each.name == constants.PIPELINE_RUN_CONTEXT_TYPE_NAME
    ]
    (run,) = [
        each.name for each in store.store.get_contexts_by_execution(execution_id) if each.type_id == kind
    ]
    return str(run)
