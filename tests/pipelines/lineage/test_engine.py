import importlib
import sys
from pathlib import Path

from tfx import v1 as tfx

from pipelines.definition.beam.arguments import of_beam
from pipelines.definition.beam.settings import BeamSettings
from pipelines.lineage import launch, metadata


def run(tiny, run_id, workers):
    """Launches a node that notes how many workers Beam was told to have."""
    component = {name: importlib.import_module(f"tiny.{name}") for name in ("make", "workers")}
    make = component["make"].Make(value=3).with_id("make")
    noted = component["workers"].Workers(number=make.outputs["number"]).with_id("noted")
    options = ("--direct_running_mode=multi_threading", f"--direct_num_workers={workers}")
    pipeline = tfx.dsl.Pipeline(
        pipeline_name="tiny",
        pipeline_root=str(tiny.folder / "artifacts"),
        components=[make, noted],
        enable_cache=True,
        beam_pipeline_args=of_beam(BeamSettings(options=options)),
    )
    pipeline_ir, connection = launch.compile_run(pipeline, run_id), metadata.connection(tiny.folder)
    launch.launch(pipeline_ir, "make", connection)
    return launch.launch(pipeline_ir, "noted", connection)


def test_a_node_is_told_where_beam_runs_and_the_cache_does_not_ask(tiny, monkeypatch):
    monkeypatch.setattr(sys, "argv", sys.argv[:1])  # TFX's Beam executors read the options of the process
    first = run(tiny, "first", workers=2)
    second = run(tiny, "second", workers=3)

    assert [first.cached_from, second.cached_from] == ["", "first"]
    ((artifact,),) = first.outputs.values()
    assert (Path(artifact.uri) / "number").read_text() == "2"
