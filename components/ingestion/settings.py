"""Where the records come from and how they are split."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class IngestionSettings(BaseModel):
    """What ingestion reads, and when it gives up."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: Literal["digits", "image_folder"] = "digits"
    """`digits`: the handwritten digits that scikit-learn brings. `image_folder`: one folder per class."""

    path: str = ""
    """Folder of `image_folder`, laid out as `<path>/<class>/<file>`."""

    eval_fraction: float = Field(0.1, gt=0, lt=0.5)
    """Share of the records in the split `eval`."""

    test_fraction: float = Field(0.1, gt=0, lt=0.5)
    """Share of the records in the split `test`."""

    max_quarantined_fraction: float = Field(0.01, ge=0, lt=1)
    """Share of unusable records above which ingestion fails."""

    @model_validator(mode="after")
    def _folder_has_a_path(self) -> "IngestionSettings":
        if self.source == "image_folder" and not self.path:
            raise ValueError("source image_folder needs `path`, the folder that holds one folder per class")
        return self
