"""The sections of a classifier's configuration."""

from typing import Literal

from pydantic import Field

from components.settings import Section
from components.tasks.classification.target import TargetSettings

__all__ = [
    "CompressionGates",
    "EvaluationSettings",
    "TargetSettings",
    "TrainingSettings",
    "ValidationSettings",
]


class ValidationSettings(Section):
    """Expectations on the labels."""

    min_class_share: float = Field(0.001, ge=0, le=0.5)
    """Smallest acceptable share of a class in the records of all splits."""


class TrainingSettings(Section):
    """What examples count in training."""

    class_weight: Literal["none", "balanced"] = "none"
    """`balanced`: each class counts the same, however many examples it has, and whatever its source says they count.
    `none`: each example counts what its source says, the same where that says nothing."""


class EvaluationSettings(Section):
    """Gates on every model of a run, float and compressed. Accuracies are fractions in [0, 1], on the split `test`."""

    min_accuracy: float = Field(0.95, ge=0, le=1)
    """Lowest acceptable accuracy over all test examples."""

    min_slice_accuracy: float = Field(0.8, ge=0, le=1)
    """Lowest acceptable accuracy on each class."""

    max_drop_from_live: float = Field(0.02, ge=0, le=1)
    """How far the accuracy may lie behind the model that is live now, as a difference of fractions."""

    max_slice_drop_from_live: float = Field(0.1, ge=0, le=1)
    """How far the accuracy on each class may lie behind the live model's on the same class, as a difference of
    fractions. Wider than over all examples: a class has few of them, and each counts for more."""

    min_auc: float | None = Field(None, ge=0, le=1)
    """Lowest acceptable area under the ROC curve over all test examples, in [0, 1]; for two classes only. `null`: it
    is measured, and nothing is asked of it."""


class CompressionGates(Section):
    """What compression may cost."""

    max_accuracy_drop: float = Field(0.01, ge=0, le=1)
    """How far the compressed model's test accuracy may lie behind the float model's, as a difference of fractions."""
