import pytest
import tiny_pipeline as tiny

from contract.errors import SlipwayError
from pipelines.lineage import launch


def words(execution):
    (result,) = execution.outputs["result"]
    return tiny.text(result)


def test_two_runs_that_take_turns_node_by_node_each_see_only_their_own(tmp_path, connection, at_once):
    runs = {
        run: launch.compile_run(tiny.create(tmp_path / "artifacts", run), run)
        for run in ("monday", "tuesday")
    }

    def take_turns():
        said = ""
        for node in ("source", tiny.step(0, 0), tiny.step(0, 1), tiny.step(1, 0)):
            for run, pipeline_ir in runs.items():
                said = words(launch.launch(pipeline_ir, node, connection))
                assert said.split()[0] == run
        assert said == "tuesday lane1_step0"

    assert at_once(take_turns) == []


def test_a_node_does_not_take_the_place_of_a_missing_input_from_the_run_before(tmp_path, connection, at_once):
    def skip_the_source():
        before, after = (
            launch.compile_run(tiny.create(tmp_path / "artifacts", run), run) for run in ("before", "after")
        )
        launch.launch(before, "source", connection)
        with pytest.raises(SlipwayError, match="inputs of node lane0_step0 among this run's own outputs"):
            launch.launch(after, tiny.step(0, 0), connection)

    assert at_once(skip_the_source) == []


def test_two_pipelines_in_one_store_may_have_runs_of_the_same_name(tmp_path, connection, at_once):
    """Airflow names scheduled runs after their time, so two nightly pipelines do."""

    def take_turns():
        pipelines = [
            launch.compile_run(tiny.create(tmp_path / name, name, name), "scheduled")
            for name in ("cats", "dogs")
        ]
        for node in ("source", tiny.step(0, 0)):
            said = [words(launch.launch(each, node, connection)).split()[0] for each in pipelines]
            assert said == ["cats", "dogs"]

    assert at_once(take_turns) == []
