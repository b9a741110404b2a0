import io

import numpy as np
import pytest
from PIL import Image

CLASSES = ["dark", "light"]


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8)).save(file, format="PNG")
    return file.getvalue()


@pytest.fixture(scope="session")
def image_folder(tmp_path_factory):
    """200 noisy 8x8 pictures of two kinds, told apart by their brightness."""
    root = tmp_path_factory.mktemp("images")
    noise = np.random.default_rng(3)
    for label, base in zip(CLASSES, (40, 200), strict=True):
        (root / label).mkdir()
        for number in range(100):
            pixels = np.clip(noise.normal(base, 20, (8, 8)), 0, 255)
            (root / label / f"{number:03d}.png").write_bytes(png(pixels))
    return root


@pytest.fixture(scope="session")
def examples_dir(image_folder, tmp_path_factory):
    """An Examples artifact of those pictures."""
    from components.ingestion.ingest import ingest
    from components.ingestion.settings import IngestionSettings

    target = tmp_path_factory.mktemp("examples")
    settings = IngestionSettings(source="image_folder", path=str(image_folder))
    ingest(settings, CLASSES, channels=1, examples_dir=target, quarantine_dir=target / "quarantine")
    return target


@pytest.fixture
def classes():
    return CLASSES
