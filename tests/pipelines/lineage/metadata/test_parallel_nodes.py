from collections import Counter

import pytest
import tiny_pipeline as tiny
from ml_metadata.proto import metadata_store_pb2 as mlmd

from pipelines.lineage import launch
from pipelines.lineage.metadata_store import Store

RUNS = ("nightly", "by_hand")
NODES_PER_RUN = 1 + tiny.LANES * tiny.STEPS


@pytest.fixture
def representations(tmp_path):
    return {run: launch.compile_run(tiny.create(tmp_path / "artifacts", run), run) for run in RUNS}


def test_two_runs_of_four_nodes_at_once_lose_nothing_in_a_store_that_was_not_there(
    representations, connection, at_once
):
    def source(run):
        return lambda: launch.launch(representations[run], "source", connection)

    def lane(run, number):
        steps = [tiny.step(number, each) for each in range(tiny.STEPS)]
        return lambda: [launch.launch(representations[run], node, connection) for node in steps]

    assert at_once(*(source(run) for run in RUNS)) == []
    assert at_once(*(lane(run, number) for run in RUNS for number in range(tiny.LANES))) == []

    with Store(connection) as store:
        executions, artifacts = store.store.get_executions(), store.store.get_artifacts()
        types = [
            (type(each), each.name)
            for kind in ("artifact", "execution", "context")
            for each in getattr(store.store, f"get_{kind}_types")()
        ]
    assert {each.last_known_state for each in executions} == {mlmd.Execution.COMPLETE}
    assert (len(executions), len(artifacts)) == (2 * NODES_PER_RUN, 2 * NODES_PER_RUN)
    assert max(Counter(types).values()) == 1


def test_processes_that_register_types_in_a_new_store_at_the_same_time_make_each_once(connection, at_once):
    names = [f"Made at once {number}" for number in range(5)]

    def register():
        for name in names:
            with Store(connection) as store:
                store.store.put_artifact_type(mlmd.ArtifactType(name=name))

    assert at_once(*[register] * 4) == []

    with Store(connection) as store:
        assert sorted(each.name for each in store.store.get_artifact_types() if each.name in names) == names
