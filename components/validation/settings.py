"""What the data must look like before anything is trained on it."""

from pydantic import BaseModel, ConfigDict, Field


class ValidationSettings(BaseModel):
    """Expectations on the facts of each image, and on drift."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    min_records_per_split: int = Field(20, ge=1)
    """Fewest records in each of train, eval and test."""

    min_side_px: int = Field(4, ge=1)
    """Shortest acceptable height and width of an image."""

    max_constant_fraction: float = Field(0.0, ge=0, le=1)
    """Share of images that may be one flat colour."""

    max_duplicate_fraction: float = Field(0.01, ge=0, le=1)
    """Share of records whose image is byte for byte another record's."""

    max_label_drift: float = Field(0.1, gt=0, le=1)
    """Largest Jensen-Shannon divergence of the labels from the last accepted data (0: equal, 1: disjoint)."""
