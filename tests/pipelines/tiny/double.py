from tfx import v1 as tfx

from tiny.arithmetic import multiply
from tiny.number import InputArtifact, Number, OutputArtifact, read, write


@tfx.dsl.components.component
def Double(number: InputArtifact[Number], doubled: OutputArtifact[Number]) -> None:
    write(doubled, multiply(read(number), 2))
