"""What an image pipeline's section `data` holds."""

from typing import Literal

from pydantic import Field, model_validator

from components.families import sections
from components.settings import Section


class ImageSettings(Section):
    """What the model takes."""

    height: int = Field(ge=4, le=4096)
    """Pixels."""

    width: int = Field(ge=4, le=4096)
    """Pixels."""

    channels: Literal[1, 3]
    """1 for grey, 3 for RGB."""

    resize: Literal["exact", "fit", "crop"] = "exact"
    """How an image of another size is brought to this one. exact: stretched or squeezed. fit: all of it, with black
    beside it. crop: filled, and what stands out at two sides is cut off."""


class RecordSettings(Section):
    """What a record is: an image, brought to one size when it is ingested, and when a client sends it."""

    image: ImageSettings
    """Size that images are brought to."""


class DataSettings(sections.DataSettings, RecordSettings):
    """The images, and how they are split."""

    source: Literal["digits", "image_folder"] = "digits"
    """`digits`: the handwritten digits that scikit-learn brings. `image_folder`: one folder per class."""

    path: str = ""
    """Folder of `image_folder`, laid out as `<path>/<class>/<file>`."""

    max_megapixels: float = Field(25, gt=0, le=178)
    """Largest image that is decoded; 178 is where Pillow gives up."""

    min_side_px: int = Field(4, ge=1)
    """Shortest acceptable height and width of an image as the source has it."""

    @model_validator(mode="after")
    def _folder_has_a_path(self) -> "DataSettings":
        if self.source == "image_folder" and not self.path:
            raise ValueError("source image_folder needs `path`, the folder that holds one folder per class")
        return self
