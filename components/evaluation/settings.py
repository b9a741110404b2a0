"""When a model is good enough."""

from pydantic import BaseModel, ConfigDict, Field


class EvaluationSettings(BaseModel):
    """Gates on the float model. Accuracies are fractions in [0, 1], on the split `test`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    min_accuracy: float = Field(
        0.95, ge=0, le=1, title="Minimum accuracy", description="A model below this is refused."
    )
    """Lowest acceptable accuracy over all test examples."""

    min_slice_accuracy: float = Field(0.8, ge=0, le=1)
    """Lowest acceptable accuracy on each class."""

    max_drop_from_live: float = Field(0.02, ge=0, le=1)
    """How far the accuracy may lie behind the model that is live now."""
