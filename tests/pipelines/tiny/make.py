from tfx import v1 as tfx

from tiny.number import Number, OutputArtifact, Parameter, write


@tfx.dsl.components.component
def Make(number: OutputArtifact[Number], value: Parameter[int]) -> None:
    write(number, value)
