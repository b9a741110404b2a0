import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from components import records
from components.augmentation.augment import augment
from components.families.image import augmentation
from components.families.image.data import ImageSettings, RecordSettings
from components.families.image.settings import AugmentationSettings

RECORD = RecordSettings(image=ImageSettings(height=8, width=8, channels=1))


@pytest.fixture
def images():
    return tf.constant(np.random.default_rng(1).uniform(0, 255, (16, 8, 8, 1)), tf.float32)


def enlarged(examples_dir, folder):
    settings = AugmentationSettings(factor=3)
    return augment(augmentation, str(examples_dir), str(folder), record=RECORD, settings=settings)


def test_the_same_seed_gives_the_same_images_and_another_does_not(images):
    settings = AugmentationSettings()
    first = augmentation.changed(images, settings=settings, seed=(1, 2))
    assert np.array_equal(first, augmentation.changed(images, settings=settings, seed=(1, 2)))
    assert not np.array_equal(first, augmentation.changed(images, settings=settings, seed=(1, 3)))


def test_intensities_stay_in_range(images):
    changed = augmentation.changed(
        images, settings=AugmentationSettings(max_brightness_change=1.0), seed=(1, 2)
    ).numpy()
    assert changed.min() >= 0
    assert changed.max() <= 255


def test_no_change_is_allowed_means_no_change(images):
    still = AugmentationSettings(max_shift_fraction=0, max_rotation_degrees=0, max_brightness_change=0)
    assert np.allclose(augmentation.changed(images, settings=still, seed=(1, 2)), images, atol=1e-3)


def test_images_of_another_rank_are_refused():
    with pytest.raises(ValueError, match="got shape"):
        augmentation.changed(tf.zeros([8, 8, 1]), settings=AugmentationSettings(), seed=(1, 2))


def test_train_is_enlarged_eval_is_untouched_and_test_is_left_out(examples_dir, tmp_path):
    counts = enlarged(examples_dir, tmp_path)
    originals = list(records.read_split(examples_dir, "train"))
    assert counts["train"] == 3 * len(originals)
    assert list(records.read_split(tmp_path, "eval")) == list(records.read_split(examples_dir, "eval"))
    assert not (tmp_path / "Split-test").exists()
    assert list(records.read_split(tmp_path, "train"))[: len(originals)] == originals


def test_the_contact_sheet_shows_a_row_for_each_original(examples_dir, tmp_path):
    enlarged(examples_dir, tmp_path)
    augmentation.preview(str(tmp_path), tmp_path)
    width, height = Image.open(tmp_path / "augmentation_preview.png").size
    assert width == 3 * 68 + 4
    assert height == 8 * 68 + 4
