import importlib
import shutil
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent / "tiny"
NODES = ("make", "double", "add_one")


class Tiny:
    """A real TFX pipeline of three components, whose code can be changed between two launches.

    make -> double -> add_one
    """

    def __init__(self, folder):
        self.folder = folder
        shutil.copytree(SOURCE, folder / "tiny", ignore=shutil.ignore_patterns("__pycache__"))

    def forget(self):
        """Does what a fresh process would: nothing of the package is in memory."""
        from pipelines.lineage import code_digest

        for each in (code_digest.source, code_digest._roots):
            each.cache_clear()
        for name in [name for name in sys.modules if name.partition(".")[0] == "tiny"]:
            del sys.modules[name]
        importlib.invalidate_caches()

    def change(self, module, old, new):
        path = self.folder / "tiny" / f"{module}.py"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
        shutil.rmtree(path.parent / "__pycache__", ignore_errors=True)  # times are too coarse to tell
        self.forget()

    def compile(self, run_id, value=3, root=None):
        from tfx import v1 as tfx

        from pipelines.lineage import launch

        component = {
            module: importlib.import_module(f"tiny.{module}") for module in ("make", "double", "add_one")
        }
        make = component["make"].Make(value=value).with_id("make")
        double = component["double"].Double(number=make.outputs["number"]).with_id("double")
        add_one = component["add_one"].AddOne(doubled=double.outputs["doubled"]).with_id("add_one")
        pipeline = tfx.dsl.Pipeline(
            pipeline_name="tiny",
            pipeline_root=str(root or self.folder / "artifacts"),
            components=[make, double, add_one],
            enable_cache=True,
        )
        return launch.compile_run(pipeline, run_id)

    def run(self, run_id, *nodes, value=3):
        """Launches nodes of a run, all of them where none is named; returns the executions by node."""
        from pipelines.lineage import launch, metadata

        pipeline_ir, connection = self.compile(run_id, value), metadata.connection(self.folder)
        return {node: launch.launch(pipeline_ir, node, connection) for node in nodes or NODES}


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    made = Tiny(tmp_path)
    made.forget()
    yield made
    made.forget()
