"""What a policy is composed of: operations, each with its range. Imports pydantic, nothing of TensorFlow.

Each amount is drawn anew for each copy, evenly from its range. Where an operation looks beyond the edge of an image,
the edge goes on.
"""

from typing import Annotated, Literal

from pydantic import Field

from components.settings import Section


class Flip(Section):
    """Mirrors half of the copies. Not for what means something else in a mirror, such as digits and letters."""

    name: Literal["flip"] = "flip"
    """The operation."""

    direction: Literal["horizontal", "vertical", "both"] = "horizontal"
    """horizontal: left becomes right. vertical: top becomes bottom. both: either, each by a chance of its own."""


class Rotate(Section):
    """Turns about the centre."""

    name: Literal["rotate"] = "rotate"
    """The operation."""

    max_degrees: float = Field(10.0, gt=0, le=180)
    """Largest turn to either side, in degrees."""


class Shift(Section):
    """Moves along both axes."""

    name: Literal["shift"] = "shift"
    """The operation."""

    max_fraction: float = Field(0.1, gt=0, lt=0.5)
    """Largest move along each axis, as a share of the side."""


class Zoom(Section):
    """Enlarges or shrinks about the centre."""

    name: Literal["zoom"] = "zoom"
    """The operation."""

    max_fraction: float = Field(0.1, gt=0, lt=1)
    """Largest enlargement and largest reduction of the sides, as a share of them."""


class Shear(Section):
    """Slants along the horizontal axis."""

    name: Literal["shear"] = "shear"
    """The operation."""

    max_degrees: float = Field(10.0, gt=0, le=60)
    """Largest slant to either side, in degrees."""


class Crop(Section):
    """Takes a window, and brings it to the size of the image. Proportions change by a third at most."""

    name: Literal["crop"] = "crop"
    """The operation."""

    min_area: float = Field(0.7, gt=0, lt=1)
    """Smallest window, as a share of the area; the largest is the image."""


class Brightness(Section):
    """Adds the same to all intensities."""

    name: Literal["brightness"] = "brightness"
    """The operation."""

    max_change: float = Field(0.1, gt=0, le=1)
    """Largest change up or down, as a share of the full range of intensities."""


class Contrast(Section):
    """Stretches or squeezes intensities about their mean."""

    name: Literal["contrast"] = "contrast"
    """The operation."""

    max_change: float = Field(0.2, gt=0, le=1)
    """Largest change of their distance from the mean, as a share of it."""


class Noise(Section):
    """Adds Gaussian noise to each pixel and channel."""

    name: Literal["noise"] = "noise"
    """The operation."""

    max_deviation: float = Field(0.05, gt=0, le=1)
    """Largest standard deviation, as a share of the full range of intensities."""


class Cutout(Section):
    """Blacks out a square whose centre is anywhere in the image (DeVries and Taylor, 2017, arXiv:1708.04552)."""

    name: Literal["cutout"] = "cutout"
    """The operation."""

    side_fraction: float = Field(0.25, gt=0, lt=1)
    """Side of the square, as a share of the shorter side."""


class RandAugment(Section):
    """A few of fourteen changes, drawn at random (Cubuk et al., 2019, arXiv:1909.13719). None of them is a flip."""

    name: Literal["rand_augment"] = "rand_augment"
    """The operation."""

    changes: int = Field(2, ge=1, le=14)
    """How many changes a copy goes through (the paper's N)."""

    magnitude: float = Field(5.0, gt=0, le=10)
    """How strong each of them is (the paper's M); 10 is the strongest."""


Operation = Annotated[
    Flip | Rotate | Shift | Zoom | Shear | Crop | Brightness | Contrast | Noise | Cutout | RandAugment,
    Field(discriminator="name"),
]
