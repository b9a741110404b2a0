from tfx import v1 as tfx

from tiny.number import InputArtifact, Number, OutputArtifact, read, write


@tfx.dsl.components.component
def Validate(
    examples: InputArtifact[Number], statistics: InputArtifact[Number], report: OutputArtifact[Number]
) -> None:
    write(report, read(examples) + read(statistics))
