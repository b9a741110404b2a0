import io

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def photo():
    """A picture of soft colours, 47 pixels high and 61 wide."""
    coarse = np.random.default_rng(0).integers(0, 255, (6, 7, 3)).astype(np.uint8)
    return Image.fromarray(coarse).resize((61, 47), Image.Resampling.BICUBIC)


@pytest.fixture(scope="session")
def saved():
    """Saves a picture in a format; returns the bytes of the file."""

    def saved(picture, kind, **options):
        file = io.BytesIO()
        picture.save(file, kind, **options)
        return file.getvalue()

    return saved
