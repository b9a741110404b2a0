"""The sections of an image pipeline's configuration."""

from typing import Literal

from pydantic import Field

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
    """Expectations on any records; what an image must be, `data` says."""


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
