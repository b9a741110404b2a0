"""The sections of an image pipeline's configuration."""

from typing import Literal

from pydantic import Field, field_validator

from components.families import sections
from components.families.image.data import DataSettings, RecordSettings
from components.settings import Section

__all__ = [
    "COMPRESSES",
    "AugmentationSettings",
    "DataSettings",
    "NetworkSettings",
    "RecordSettings",
    "ValidationSettings",
]

COMPRESSES = True


class ValidationSettings(sections.ValidationSettings):
    """Expectations on the images, and on drift; which size an image has, `data` says."""

    mean_intensity: tuple[float, float] = (0, 255)
    """Least and greatest acceptable mean intensity of an image, 0 (black) to 255 (white)."""

    max_intensity_drift: float | None = Field(0.2, gt=0, le=1)
    """Largest Kolmogorov-Smirnov distance of the images' mean intensities, and of their standard deviations, from those
    of the last accepted data (0: equal, 1: disjoint)."""

    max_sharpness_drift: float | None = Field(0.2, gt=0, le=1)
    """The same of their sharpness: the variance of the Laplacian."""

    max_source_side_drift: float | None = Field(0.2, gt=0, le=1)
    """The same of their height and width as the source has them."""

    @field_validator("mean_intensity")
    @classmethod
    def _is_a_range(cls, ends: tuple[float, float]) -> tuple[float, float]:
        if not 0 <= ends[0] <= ends[1] <= 255:
            raise ValueError(
                f"expected the least and then the greatest mean intensity, each from 0 to 255, got "
                f"[{ends[0]:g}, {ends[1]:g}]"
            )
        return ends


class AugmentationSettings(sections.AugmentationSettings):
    """Random, label-preserving changes to the images of the train split."""

    max_shift_fraction: float = Field(0.1, ge=0, lt=0.5)
    """Largest move along each axis, as a share of the side."""

    max_rotation_degrees: float = Field(10.0, ge=0, le=180)
    """Largest rotation to either side, in degrees."""

    max_brightness_change: float = Field(0.1, ge=0, le=1)
    """Largest change of brightness, as a share of the full range."""


class NetworkSettings(Section):
    """Which network, and how large."""

    network: Literal["cnn"] = "cnn"
    """`cnn`: two convolutions and a hidden dense layer."""

    filters: int = Field(32, ge=4, le=512)
    """Filters of the first convolution; the second has twice as many."""

    dense_units: int = Field(64, ge=4, le=4096)
    """Width of the hidden dense layer."""

    dropout: float = Field(0.2, ge=0, lt=1)
    """Share of hidden units dropped while training."""
