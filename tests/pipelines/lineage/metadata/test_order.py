"""TFX's cache names the outputs of an earlier execution by their position."""

from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.orchestration.portable import cache_utils
from tfx.types import standard_artifacts

from pipelines.lineage.metadata import connection
from pipelines.lineage.metadata_store import Store


def output(name, number):
    event = mlmd.Event(type=mlmd.Event.OUTPUT, artifact_id=number)
    event.path.steps.add().key = name
    event.path.steps.add().index = 0
    return event


def test_cached_outputs_keep_their_names_where_the_database_has_them_in_another_order(tmp_path):
    kinds = {"statistics": standard_artifacts.ExampleStatistics, "model": standard_artifacts.Model}
    with Store(connection(tmp_path)) as handle:
        store, numbers = handle.store, {}
        for name, kind in kinds.items():
            type_id = store.put_artifact_type(kind()._artifact_type)
            (tmp_path / name).mkdir()
            made = mlmd.Artifact(type_id=type_id, uri=str(tmp_path / name), state=mlmd.Artifact.LIVE)
            (numbers[name],) = store.put_artifacts([made])
        execution = mlmd.Execution(
            type_id=store.put_execution_type(mlmd.ExecutionType(name="Node")),
            last_known_state=mlmd.Execution.COMPLETE,
        )
        context = mlmd.Context(type_id=store.put_context_type(mlmd.ContextType(name="Key")), name="key")
        backwards = [
            (store.get_artifacts_by_id([numbers[name]])[0], output(name, numbers[name]))
            for name in reversed(kinds)
        ]
        store.put_execution(execution, backwards, [context])

        found = cache_utils.get_cached_outputs(handle, store.get_contexts()[0])

    assert {name: artifact.uri for name, (artifact,) in found.items()} == {
        name: str(tmp_path / name) for name in kinds
    }
    assert {name: type(artifact) for name, (artifact,) in found.items()} == kinds
