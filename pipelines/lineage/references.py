"""Which artifacts each run of a pipeline made and used, and the note that the files of some are gone.

An artifact that is noted as deleted is no input, and the cache answers nothing from it, whatever lies in its folder.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.dsl.compiler import constants
from tfx.orchestration.metadata import Metadata

from pipelines.definition.nodes import REGISTER
from pipelines.lineage import metadata


@dataclass
class RecordedRun:
    """What ML Metadata has of a run.

    Attributes:
        active_at: When an execution of it was written last, in seconds since the epoch.
        uris: What its executions read or made.
        of_version: Those among them that `register` read or made: a version names them.
    """

    active_at: float = 0.0
    uris: set[str] = field(default_factory=set)
    of_version: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class References:
    """What ML Metadata has of a pipeline.

    Attributes:
        pipeline: Name.
        runs: By run id.
        run_of: Run id by execution.
        accepted: URIs of the data that the next run may be compared with.
        artifacts: Whatever an execution read or made.
    """

    pipeline: str
    runs: Mapping[str, RecordedRun]
    run_of: Mapping[int, str]
    accepted: Collection[str]
    artifacts: Sequence[mlmd.Artifact]


def read(store: Metadata, pipeline: str) -> References:
    """Reads what the runs of a pipeline made and used.

    Args:
        store: Open connection; as long as it is, no run publishes or takes anything.
        pipeline: Name.
    """
    executions = {
        each.id: each for each in _executions(store, constants.PIPELINE_CONTEXT_TYPE_NAME, pipeline)
    }
    register = f"{pipeline}.{REGISTER}"
    registering = {each.id for each in _executions(store, constants.NODE_CONTEXT_TYPE_NAME, register)}
    # By name, since another pipeline in the same database may have a run of the same one.
    run_of = {
        each.id: run.name
        for run in store.store.get_contexts_by_type(constants.PIPELINE_RUN_CONTEXT_TYPE_NAME)
        for each in store.store.get_executions_by_context(run.id)
        if each.id in executions
    }
    events = store.store.get_events_by_execution_ids(list(run_of)) if run_of else []
    ids = sorted({event.artifact_id for event in events})
    artifacts = {each.id: each for each in (store.store.get_artifacts_by_id(ids) if ids else ())}
    runs: dict[str, RecordedRun] = defaultdict(RecordedRun)
    for number, name in run_of.items():
        written = executions[number].last_update_time_since_epoch / 1000
        runs[name].active_at = max(runs[name].active_at, written)
    for event in events:
        run, uri = runs[run_of[event.execution_id]], artifacts[event.artifact_id].uri
        run.uris.add(uri)
        if event.execution_id in registering:
            run.of_version.add(uri)
    return References(pipeline, dict(runs), run_of, _accepted(store, pipeline), list(artifacts.values()))


def place(uri: str, pipeline: str) -> str:
    """Returns `<node>/<output>/<execution>`: where an artifact lies, wherever the state folder was moved to.

    Empty for what no node of the pipeline made, such as a model that was fetched from the registry.
    """
    _, root, rest = uri.rpartition(f"/{pipeline}/artifacts/")
    return "/".join(rest.split("/")[:3]) if root else ""


def note_deleted(store: Metadata, references: References, kept: Collection[str]) -> None:
    """Notes of every artifact outside the places `kept` that its files are gone.

    Args:
        store: The connection that `references` were read on: nobody took one of them since.
        references: Of the pipeline.
        kept: Places.
    """
    gone = []
    for each in references.artifacts:
        where = place(each.uri, references.pipeline)
        if where and where not in kept and each.state != mlmd.Artifact.DELETED:
            each.state = mlmd.Artifact.DELETED
            gone.append(each)
    if gone:
        store.store.put_artifacts(gone)


def _executions(store: Metadata, kind: str, name: str) -> list[mlmd.Execution]:
    context = store.store.get_context_by_type_and_name(kind, name)
    return list(store.store.get_executions_by_context(context.id)) if context else []


def _accepted(store: Metadata, pipeline: str) -> frozenset[str]:
    """Returns what `metadata.validated` may answer with next: the newest data, or the newest before it."""
    newest = None
    for each in metadata.validations(store, pipeline):
        if newest is None:
            newest = each
        elif each.data_digest != newest.data_digest:
            return newest.uris | each.uris
    return newest.uris if newest else frozenset()
