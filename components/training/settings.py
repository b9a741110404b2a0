"""How any model is trained."""

from pydantic import Field

from components.settings import Section


class TrainingSettings(Section):
    """Optimisation. Which network it is, the family says; what examples count, the task."""

    epochs: int = Field(15, ge=1, le=1000, title="Epochs")
    """Passes over the augmented train split."""

    batch_size: int = Field(128, ge=1, le=65536, title="Batch size")
    """Examples in a step, over all replicas together."""

    learning_rate: float = Field(0.002, gt=0, le=1, title="Learning rate")
    """Of Adam at the start; falls to zero along a cosine."""

    patience: int = Field(5, ge=1)
    """Epochs without a better eval loss before training stops short of `epochs`; the best weights are kept."""

    seed: int = Field(17, ge=0)
    """Seed of initial weights, shuffling and dropout."""
