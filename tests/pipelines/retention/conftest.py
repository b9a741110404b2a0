import importlib
import time

import pytest

from contract.run_folder import PIPELINE_IR, REQUEST, RUN, SUCCEEDED, SUMMARY, NodeResult, RunFolder
from pipelines.definition import config
from pipelines.definition.retention import RetentionSettings

DAY_S = 24 * 3600
NODES = ("make", "double", "validate", "register")


class Nights:
    """Real runs of a tiny pipeline, in folders as `prepare` and `close` leave them. Only the newest is to be kept.

    make -> double -> register, and validate, which reads the output of the first two
    """

    def __init__(self, tiny):
        self.tiny, self.home = tiny, tiny.folder
        self.dir = self.home / "pipelines" / "tiny"
        self.dir.mkdir(parents=True)
        self.config = config.load("digits").model_copy(
            update={"name": "tiny", "retention": RetentionSettings(days=1, runs=1)}
        )
        digest = "write(number, value)\n    number.set_string_custom_property('source_digest', str(value))"
        tiny.change("make", "write(number, value)", digest)

    def folder(self, run_id):
        return RunFolder(self.home, "tiny", run_id)

    def compile(self, run_id, value):
        from tfx import v1 as tfx

        from pipelines.lineage import launch

        tiny = {
            name: importlib.import_module(f"tiny.{name}")
            for name in ("make", "double", "add_one", "validate")
        }
        make = tiny["make"].Make(value=value).with_id("make")
        double = tiny["double"].Double(number=make.outputs["number"]).with_id("double")
        inputs = {"examples": make.outputs["number"], "statistics": double.outputs["doubled"]}
        validate = tiny["validate"].Validate(**inputs).with_id("validate")
        register = tiny["add_one"].AddOne(doubled=double.outputs["doubled"]).with_id("register")
        pipeline = tfx.dsl.Pipeline(
            pipeline_name="tiny",
            pipeline_root=str(self.dir / "artifacts"),
            components=[make, double, validate, register],
            enable_cache=True,
        )
        return launch.compile_run(pipeline, run_id)

    def begin(self, run_id, *nodes, value=3):
        """Prepares a run and launches nodes of it; returns their executions."""
        from pipelines.lineage import launch

        folder = self.folder(run_id)
        folder.write(REQUEST, {"values": {}, "done": []})
        folder.write(RUN, {})
        folder.write(PIPELINE_IR, launch.to_json(self.compile(run_id, value)))
        return {node: self.launch(run_id, node, value=value) for node in nodes}

    def launch(self, run_id, node, value=3):
        from pipelines.lineage import launch, metadata

        done = launch.launch(self.compile(run_id, value), node, metadata.connection(self.dir))
        self.folder(run_id).write_result(node, NodeResult(SUCCEEDED, metrics={"version": 1.0}))
        return done

    def run(self, run_id, *nodes, value=3):
        """Runs nodes of a run, all of them where none is named, and closes it."""
        done = self.begin(run_id, *(nodes or NODES), value=value)
        self.folder(run_id).write(SUMMARY, {"state": SUCCEEDED})
        return done

    def collect(self, versions=None, *, days=3, **options):
        """Removes what is too old, as if it were some days later."""
        from pipelines.retention import collect
        from pipelines.retention.versions import Versions

        known = versions or Versions(runs=frozenset({"of another folder"}))
        return collect.collect(self.config, self.home, known, now=time.time() + days * DAY_S, **options)

    def artifacts(self):
        """Returns what lies in the folder of artifacts, as `<node>/<output>/<execution>`."""
        root = self.dir / "artifacts"
        return {str(path.relative_to(root)) for path in root.glob("*/*/*") if path.name.isdigit()}


@pytest.fixture
def nights(tiny):
    return Nights(tiny)
