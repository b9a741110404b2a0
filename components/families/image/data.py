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


class RecordSettings(Section):
    """What a record is: an image of any size, brought to one size inside the model."""

    image: ImageSettings
    """Size that images are brought to inside the model."""


class DataSettings(sections.DataSettings, RecordSettings):
    """The images, and how they are split."""

    source: Literal["digits", "image_folder"] = "digits"
    """`digits`: the handwritten digits that scikit-learn brings. `image_folder`: one folder per class."""

    path: str = ""
    """Folder of `image_folder`, laid out as `<path>/<class>/<file>`."""

    @model_validator(mode="after")
    def _folder_has_a_path(self) -> "DataSettings":
        if self.source == "image_folder" and not self.path:
            raise ValueError("source image_folder needs `path`, the folder that holds one folder per class")
        return self
