import io

import numpy as np
import tensorflow as tf
from PIL import Image, ImageFilter

from components.families.image import facts, ingestion
from components.families.image.data import DataSettings, ImageSettings
from components.source import RawRecord


def facts_of(picture, **image):
    file = io.BytesIO()
    picture.save(file, format="PNG")
    settings = DataSettings(image=ImageSettings(**image))
    features = ingestion.features(RawRecord("a", file.getvalue(), "dark"), settings)
    return facts.facts(tf.train.Example(features=tf.train.Features(feature=features)), settings)


def test_the_facts_of_an_image_are_those_that_it_is_said_to_have():
    record = DataSettings(image=ImageSettings(height=8, width=8, channels=1))
    found = facts_of(Image.linear_gradient("L"), height=8, width=8, channels=1)
    assert tuple(found) == facts.columns(record)
    assert set(facts.drifting(record)) <= set(found)


def test_the_size_that_an_image_had_outlives_the_resize():
    found = facts_of(Image.linear_gradient("L").resize((30, 20)), height=8, width=10, channels=3)
    assert (found["height"], found["width"], found["channels"]) == (8, 10, 3)
    assert (found["source_height"], found["source_width"]) == (20, 30)


def test_sharpness_is_the_variance_of_the_laplacian():
    board = np.indices((8, 8)).sum(axis=0) % 2 * 255
    found = facts_of(Image.fromarray(board.astype(np.uint8)), height=8, width=8, channels=1)
    assert found["sharpness"] == (4 * 255) ** 2


def test_a_softer_image_is_less_sharp_in_grey_and_in_colour():
    noise = np.random.default_rng(2).integers(0, 256, (32, 32, 3), np.uint8)
    for channels in (1, 3):
        sharp, soft = (
            facts_of(picture, height=32, width=32, channels=channels)["sharpness"]
            for picture in (
                Image.fromarray(noise),
                Image.fromarray(noise).filter(ImageFilter.GaussianBlur(2)),
            )
        )
        assert soft < sharp / 10
