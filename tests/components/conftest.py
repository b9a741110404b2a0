import io

import numpy as np
import pytest
from PIL import Image

CLASSES = ["dark", "light"]
SIZE = {"height": 8, "width": 8, "channels": 1}


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
def ingested():
    """Ingests a source, all of it or in the parts that are given, into `examples` and `quarantine` of a folder."""
    import apache_beam as beam

    from components.ingestion import reading
    from components.ingestion.ingest import ingest
    from components.ingestion.parts import Part

    def run(usable, folder, parts=None, beam_args=(), **options):
        path = usable.settings.path
        return ingest(
            usable,
            parts or [Part("", path, reading.digest(usable.sources, usable.settings))],
            beam.Pipeline(argv=["--runner=FnApiRunner", "--no_pipeline_type_check", *beam_args]),
            examples_dir=folder / "examples",
            quarantine_dir=folder / "quarantine",
            spans_dir=folder / "spans",
            **options,
        )

    return run


@pytest.fixture(scope="session")
def examples_dir(image_folder, tmp_path_factory, ingested):
    """An Examples artifact of those pictures."""
    from components.families.image import ingestion, sources
    from components.families.image.data import DataSettings
    from components.ingestion.usable import Usable
    from components.tasks.classification import labels
    from components.tasks.classification.target import TargetSettings

    folder = tmp_path_factory.mktemp("examples")
    settings = DataSettings(source="image_folder", path=str(image_folder), image=SIZE)
    usable = Usable(sources, ingestion, labels, settings, TargetSettings(classes=CLASSES))
    ingested(usable, folder)
    return folder / "examples"


@pytest.fixture(scope="session")
def definition():
    """What a model of those pictures is."""
    from components.model_definition import ModelDefinition

    return ModelDefinition.of(
        "components.families.image.model",
        "components.tasks.classification.training",
        record={"image": SIZE},
        target={"classes": CLASSES},
        weighing={},
    )


@pytest.fixture
def classes():
    return CLASSES
