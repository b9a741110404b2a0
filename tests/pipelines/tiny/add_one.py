from tfx import v1 as tfx

from tiny.number import InputArtifact, Number, OutputArtifact, read, write


@tfx.dsl.components.component
def AddOne(doubled: InputArtifact[Number], result: OutputArtifact[Number]) -> None:
    write(result, read(doubled) + 1)
