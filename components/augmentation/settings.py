"""How training images are varied."""

from pydantic import BaseModel, ConfigDict, Field


class AugmentationSettings(BaseModel):
    """Random, label-preserving changes to the train split. Evaluation data is never touched."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    factor: int = Field(
        3,
        ge=1,
        le=50,
        title="Augmentation factor",
        description="Size of the train split as a multiple; 1 adds none.",
    )
    """Size of the augmented train split as a multiple of the original; 1 adds nothing."""

    max_shift_fraction: float = Field(0.1, ge=0, lt=0.5)
    """Largest move along each axis, as a share of the side."""

    max_rotation_degrees: float = Field(10.0, ge=0, le=180)
    """Largest rotation to either side, in degrees."""

    max_brightness_change: float = Field(0.1, ge=0, le=1)
    """Largest change of brightness, as a share of the full range."""

    seed: int = Field(17, ge=0)
    """The same seed and data give the same images."""
