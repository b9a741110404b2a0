"""A pipeline of trivial nodes for tests of ML Metadata: a source, then lanes of steps side by side.

Each node writes what it read and its own name, so that an output tells where it came from.
"""

from pathlib import Path

from tfx import v1 as tfx
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types.standard_artifacts import HyperParameters

LANES, STEPS = 4, 2


def text(artifact):
    """What a node wrote."""
    return (Path(artifact.uri) / "text").read_text()


@component
def Source(words: Parameter[str], result: OutputArtifact[HyperParameters]):
    (Path(result.uri) / "text").write_text(words)


@component
def Step(
    before: InputArtifact[HyperParameters], name: Parameter[str], result: OutputArtifact[HyperParameters]
):
    result.set_string_custom_property("words", f"{text(before)} {name}")
    (Path(result.uri) / "text").write_text(f"{text(before)} {name}")


def step(lane, number):
    """The id of a step."""
    return f"lane{lane}_step{number}"


def create(root, words, name="tiny"):
    """Returns the pipeline; `words` is what its source says."""
    nodes = {"source": Source(words=words).with_id("source")}
    for lane in range(LANES):
        before = "source"
        for number in range(STEPS):
            this = step(lane, number)
            nodes[this] = Step(before=nodes[before].outputs["result"], name=this).with_id(this)
            before = this
    return tfx.dsl.Pipeline(
        pipeline_name=name, pipeline_root=str(root), components=list(nodes.values()), enable_cache=False
    )
