"""When a model is good enough."""

from pydantic import BaseModel, ConfigDict, Field


class EvaluationSettings(BaseModel):
    """Gates on every model of a run, float and compressed. Accuracies are fractions in [0, 1], on the split `test`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    min_accuracy: float = Field(0.95, ge=0, le=1)
    """Lowest acceptable accuracy over all test examples."""

    min_slice_accuracy: float = Field(0.8, ge=0, le=1)
    """Lowest acceptable accuracy on each class."""

    max_drop_from_live: float = Field(0.02, ge=0, le=1)
    """How far the accuracy may lie behind the model that is live now, as a difference of fractions."""

    max_slice_drop_from_live: float = Field(0.1, ge=0, le=1)
    """How far the accuracy on each class may lie behind the live model's on the same class, as a difference of
    fractions. Wider than over all examples: a class has few of them, and each counts for more."""
