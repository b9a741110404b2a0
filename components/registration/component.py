"""TFX face of registration.

No `from __future__ import annotations` in a component.py: TFX reads the annotations as types.
"""

from pathlib import Path

from tfx import v1 as tfx

from components import runtime
from components.artifacts import RegisteredModelVersion
from components.export import SERVING_DIR
from serving.registry import Registry

Model = tfx.types.standard_artifacts.Model
InputArtifact = tfx.dsl.components.InputArtifact
OutputArtifact = tfx.dsl.components.OutputArtifact
Parameter = tfx.dsl.components.Parameter


@tfx.dsl.components.component
def ModelRegistrar(
    model: InputArtifact[Model],
    registered_version: OutputArtifact[RegisteredModelVersion],
    model_name: Parameter[str],
    tracking_uri: Parameter[str],
) -> None:
    """Registers the SavedModel byte for byte as a new version with the alias `challenger`.

    Args:
        model: What will be served.
        registered_version: Name and number.
        model_name: Registered model; made where it does not exist.
        tracking_uri: Of the registry.
    """
    context = runtime.current()
    number = Registry(tracking_uri).register(
        model_name,
        Path(model.uri) / SERVING_DIR,
        run_id=context.tracking_run_id,
        tags={**context.tags, "slipway.mlmd_model_artifact": str(model.id)},
    )
    registered_version.model_name = model_name
    registered_version.version = number
