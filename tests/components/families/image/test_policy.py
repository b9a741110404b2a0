import functools

import numpy as np
import pytest
import tensorflow as tf
from PIL import ImageEnhance, ImageOps

from components.families.image.policy import geometry, rand_augment
from components.families.image.policy.composition import composed
from components.families.image.policy.operations import (
    Brightness,
    Contrast,
    Crop,
    Cutout,
    Flip,
    Noise,
    RandAugment,
    Rotate,
    Shear,
    Shift,
    Zoom,
)

EVERY = (
    *(Flip(direction=direction) for direction in ("horizontal", "vertical", "both")),
    *(Rotate(), Shift(max_fraction=0.3), Zoom(), Shear(), Crop()),
    *(Brightness(), Contrast(), Noise(), Cutout(), RandAugment(), RandAugment(changes=3, magnitude=10)),
)
KEYS = 24


@pytest.fixture(scope="module")
def image(photo):
    """The picture of soft colours, float32 [24, 31, 3]: its sides differ, one is even and one odd."""
    return tf.constant(np.asarray(photo.resize((31, 24))), tf.float32)


@functools.cache
def graph(operations):
    return tf.function(composed(operations), autograph=False)


@pytest.fixture(autouse=True, scope="module")
def _graphs_end_before_tensorflow():
    yield
    graph.cache_clear()


def changed(image, *operations, keys=KEYS):
    """The image as each of some keys changes it."""
    return [graph(operations)(image, tf.constant(key, tf.int64)).numpy() for key in range(keys)]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("operation", EVERY, ids=str)
def test_an_operation_changes_an_image_in_many_ways_that_are_images_too(image, operation, channels):
    found = changed(image[..., :channels], operation)

    assert all(each.shape == (24, 31, channels) for each in found)
    assert all(each.min() >= 0 and each.max() <= 255 for each in found)
    assert all(np.array_equal(each, np.round(each)) for each in found)
    assert len({each.tobytes() for each in found}) > (1 if isinstance(operation, Flip) else KEYS // 2)


@pytest.mark.parametrize("operation", EVERY, ids=str)
def test_the_same_key_changes_an_image_the_same_way(image, operation):
    for first, second in zip(changed(image, operation), changed(image, operation), strict=True):
        assert np.array_equal(first, second)


def test_a_policy_without_operations_leaves_an_image_as_it_is(image):
    assert all(np.array_equal(each, image) for each in changed(image))


def test_the_same_operation_twice_draws_two_amounts(image):
    middle = image / 4 + 96
    once, twice = changed(middle, Brightness()), changed(middle, Brightness(), Brightness())
    before = middle.numpy().mean()
    assert any(
        abs((second.mean() - first.mean()) - (first.mean() - before)) > 5
        for first, second in zip(once, twice, strict=True)
    )


def test_every_range_of_an_operation_says_what_it_means():
    fields = [field for operation in EVERY for field in type(operation).model_fields.values()]
    assert all(field.description for field in fields)
    assert all(type(operation).__doc__ for operation in EVERY)


def test_a_move_to_the_left_and_up_looks_to_the_right_and_down(image):
    moved = geometry.moved(image, [geometry.translation(2.0, 1.0)]).numpy()
    assert np.allclose(moved[:-1, :-2], image[1:, 2:], atol=1e-2)
    assert np.allclose(moved[-1, :-2], image[-1, 2:], atol=1e-2), "beyond the edge, the edge goes on"


def test_a_quarter_turn_is_a_quarter_turn(image):
    square = image[:, :24]
    turned = geometry.moved(square, [geometry.rotation(np.pi / 2)]).numpy()
    assert np.allclose(turned, np.rot90(square), atol=1e-2)


def test_movements_in_a_row_are_one_movement_in_their_order(image):
    square = image[:, :24]
    turn, move = geometry.rotation(np.pi / 2), geometry.translation(3.0, 0.0)
    together = geometry.moved(square, [turn, move])
    one_by_one = geometry.moved(geometry.moved(square, [turn]), [move])
    assert np.allclose(together, one_by_one, atol=1e-2)
    assert not np.allclose(together, geometry.moved(square, [move, turn]), atol=1e-2)


@pytest.mark.parametrize(
    ("direction", "axes"),
    [("horizontal", {(), (1,)}), ("vertical", {(), (0,)}), ("both", {(), (0,), (1,), (0, 1)})],
)
def test_a_flip_mirrors_about_half_of_the_copies_and_changes_nothing_else(image, direction, axes):
    mirrored = {axis: np.flip(image.numpy(), axis).tobytes() for axis in axes}
    counts = {axis: 0 for axis in axes}
    for each in changed(image, Flip(direction=direction), keys=100):
        (axis,) = [axis for axis in axes if mirrored[axis] == each.tobytes()]
        counts[axis] += 1
    assert all(count > 50 / len(axes) for count in counts.values()), counts


@pytest.mark.parametrize(
    ("operation", "least", "greatest"),
    [
        (Zoom(max_fraction=0.5), 1 / 1.5, 1 / 0.5),
        (Crop(min_area=0.25), np.sqrt(0.25 * 3 / 4) - 0.05, 1),
        (Rotate(max_degrees=30), np.cos(np.pi / 6), 1),
    ],
    ids=str,
)
def test_an_image_is_stretched_within_the_range_and_not_beyond(operation, least, greatest):
    slope = 3.0
    ramp = tf.tile(tf.range(64, dtype=tf.float32)[tf.newaxis, :, tf.newaxis] * slope, [64, 1, 1])
    slopes = [
        (each[32, 40, 0] - each[32, 24, 0]) / 16 / slope for each in changed(ramp, operation)
    ]  # whole intensities: 1 in 48 is lost
    assert least - 0.03 <= min(slopes) < max(slopes) <= greatest + 0.03
    assert max(slopes) - min(slopes) > (greatest - least) / 4


def test_a_shear_moves_rows_by_their_distance_from_the_middle():
    ramp = tf.tile(tf.range(64, dtype=tf.float32)[tf.newaxis, :, tf.newaxis] * 3, [64, 1, 1])
    for each in changed(ramp, Shear(max_degrees=20)):
        above, below = each[16, 32, 0] - 96, each[47, 32, 0] - 96
        assert above == pytest.approx(-below, abs=3)
        assert abs(below) <= 3 * 16 * np.tan(np.deg2rad(20)) + 3


def test_brightness_adds_the_same_to_every_pixel(image):
    middle = image / 4 + 96
    steps = [float((each - middle.numpy()).mean()) for each in changed(middle, Brightness(max_change=0.1))]
    assert max(map(abs, steps)) <= 25.5
    assert min(steps) < -5
    assert max(steps) > 5
    for each, step in zip(changed(middle, Brightness(max_change=0.1)), steps, strict=True):
        assert np.abs(each - middle - step).max() <= 1


def test_contrast_changes_the_spread_and_keeps_the_mean_of_a_channel(image):
    middle = image / 4 + 96
    spread = middle.numpy().std()
    for each in changed(middle, Contrast(max_change=0.5)):
        assert np.allclose(each.mean(axis=(0, 1)), middle.numpy().mean(axis=(0, 1)), atol=0.5)
        assert 0.45 <= each.std() / spread <= 1.55


def test_noise_is_as_strong_as_its_range_allows():
    grey = tf.fill([64, 64, 1], 128.0)
    deviations = [each.std() for each in changed(grey, Noise(max_deviation=0.1))]
    assert max(deviations) <= 26
    assert max(deviations) - min(deviations) > 8
    assert all(abs(each.mean() - 128) < 2 for each in changed(grey, Noise(max_deviation=0.1)))


def test_a_cutout_blacks_out_one_square_at_most_and_nothing_else(image):
    light = image / 2 + 100
    for each in changed(light, Cutout(side_fraction=0.5)):
        rows, columns = np.nonzero(each.sum(axis=-1) == 0)
        assert 0 < len(rows) <= 12 * 12
        hole = np.zeros((24, 31), bool)
        hole[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] = True
        assert len(rows) == hole.sum()
        assert np.array_equal(each[~hole], np.round(light.numpy()[~hole]))


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize(
    ("change", "reference"),
    [
        (rand_augment.auto_contrast, lambda picture, factor: ImageOps.autocontrast(picture)),
        (rand_augment.equalize, lambda picture, factor: ImageOps.equalize(picture)),
        (rand_augment.solarize, lambda picture, factor: ImageOps.solarize(picture, 128)),
        (rand_augment.posterize, lambda picture, factor: ImageOps.posterize(picture, 6)),
        (rand_augment.color, lambda picture, factor: ImageEnhance.Color(picture).enhance(factor)),
        (rand_augment.contrast, lambda picture, factor: ImageEnhance.Contrast(picture).enhance(factor)),
        (rand_augment.brightness, lambda picture, factor: ImageEnhance.Brightness(picture).enhance(factor)),
        (rand_augment.sharpness, lambda picture, factor: ImageEnhance.Sharpness(picture).enhance(factor)),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_what_pillow_has_of_rand_augment_is_done_as_pillow_does_it(photo, change, reference, mode, sign):
    picture = photo.convert(mode)
    pixels = np.asarray(picture, np.float32).reshape(47, 61, -1)
    ours = np.clip(np.round(change(tf.constant(pixels), 0.5, tf.constant(sign)).numpy()), 0, 255)
    theirs = np.asarray(reference(picture, 1 + sign * 0.45), np.float32).reshape(47, 61, -1)

    inside = (slice(1, -1), slice(1, -1))  # Pillow leaves the edge as it is when it smooths
    assert np.abs(ours[inside] - theirs[inside]).max() <= 2


def test_rand_augment_draws_all_of_its_changes(image, monkeypatch):
    calls = []

    def noting(number, image, strength, sign):
        calls.append(number)
        return image

    numbered = [functools.partial(noting, number) for number in range(len(rand_augment.CHANGES))]
    monkeypatch.setattr(rand_augment, "CHANGES", tuple(numbered))
    for key in range(200):
        rand_augment.rand_augment(image, RandAugment(changes=1), tf.constant([key, 0], tf.int64))
    assert set(calls) == set(range(14))
