"""The sections of a tabular pipeline's configuration."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

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

    max_feature_drift: float | None = Field(0.2, gt=0, le=1)
    """Largest Kolmogorov-Smirnov distance of the values of each column from those of the last accepted data (0: equal,
    1: disjoint)."""

    @field_validator("ranges")
    @classmethod
    def _not_empty(cls, ranges: dict[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
        for column, (least, greatest) in ranges.items():
            if not least <= greatest:
                raise ValueError(
                    f"expected the least and then the greatest value of {column!r}, got [{least:g}, {greatest:g}]"
                )
        return ranges


class NetworkSettings(Section):
    """Which network, and how large."""

    network: Literal["mlp"] = "mlp"
    """`mlp`: hidden dense layers, one after the other."""

    hidden_units: list[Annotated[int, Field(ge=1)]] = Field([32, 16], min_length=1, max_length=16)
    """Width of each hidden layer."""

    dropout: float = Field(0.1, ge=0, lt=1)
    """Share of the units of each hidden layer that are dropped while training."""
