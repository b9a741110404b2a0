"""Where the numbers of the tiny pipeline are kept: a file in an artifact's folder."""

from pathlib import Path

from tfx import v1 as tfx

Number = tfx.types.standard_artifacts.Model  # any type with a folder will do
InputArtifact = tfx.dsl.components.InputArtifact
OutputArtifact = tfx.dsl.components.OutputArtifact
Parameter = tfx.dsl.components.Parameter


def read(artifact) -> int:
    return int((Path(artifact.uri) / "number").read_text())


def write(artifact, value: int) -> None:
    (Path(artifact.uri) / "number").write_text(str(value))
