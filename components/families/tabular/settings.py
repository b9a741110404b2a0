"""The sections of a tabular pipeline's configuration."""

from typing import Literal

from pydantic import Field

from components.families import sections
from components.families.tabular.data import DataSettings, RecordSettings
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
AugmentationSettings = None  # a row has no copies that would be as true as itself


class ValidationSettings(sections.ValidationSettings):
    """Expectations on the columns, and on drift."""

    ranges: dict[str, tuple[float, float]] = Field(default_factory=dict)
    """By column, the least and the greatest acceptable value."""


class NetworkSettings(Section):
    """Which network, and how large."""

    network: Literal["mlp"] = "mlp"
    """`mlp`: hidden dense layers, one after the other."""

    hidden_units: list[int] = Field([32, 16], min_length=1, max_length=16)
    """Width of each hidden layer."""

    dropout: float = Field(0.1, ge=0, lt=1)
    """Share of the units of each hidden layer that are dropped while training."""
