import apache_beam as beam
from apache_beam.options.pipeline_options import DirectOptions
from tfx import v1 as tfx

from tiny.number import InputArtifact, Number, OutputArtifact, write

BeamPipeline = tfx.dsl.components.BeamComponentParameter[beam.Pipeline]


@tfx.dsl.components.component(use_beam=True)
def Workers(
    number: InputArtifact[Number], result: OutputArtifact[Number], pipeline: BeamPipeline = None
) -> None:
    write(result, pipeline.options.view_as(DirectOptions).direct_num_workers)
