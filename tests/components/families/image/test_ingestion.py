import io
import shutil
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from components import records
from components.families.image import ingestion, pixels, sources
from components.families.image.data import DataSettings, ImageSettings
from components.ingestion.usable import Usable
from components.source import RawRecord, UnusableRecordError
from components.tasks.classification import labels
from components.tasks.classification.target import TargetSettings
from serving import pictures

ORIENTATION = 0x0112
GPS = 0x8825
JPEG = 2  # two versions of a library may round otherwise


def settings(channels=3, side=24, **data):
    resize = data.pop("resize", "exact")
    return DataSettings(
        image=ImageSettings(height=side, width=side, channels=channels, resize=resize), **data
    )


def stored(content, said):
    return ingestion.features(RawRecord("a", content, "dark"), said)[pixels.IMAGE].bytes_list.value[0]


def decoded(file, said):
    return pixels.decode_stored(tf.constant([file]), said.image).numpy()[0]


def sent(file, said):
    return pixels.decode_sent(tf.constant([file]), said.image).numpy()[0]


def turned(orientation):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return {"exif": exif}


def in_16_bits(picture):
    return Image.fromarray((np.asarray(picture.convert("L")).astype(np.uint16) << 8) + 200)


def see_through(picture):
    clear = picture.convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(picture.size))
    return clear


# What a format holds, how it is saved, and how far from training's pixels the served model may see the same file.
FORMATS = {
    "png-rgb": (lambda picture: picture, "PNG", {}, 0),
    "png-grey": (lambda picture: picture.convert("L"), "PNG", {}, 0),
    "png-1-bit": (lambda picture: picture.convert("1"), "PNG", {}, 0),
    "png-palette": (lambda picture: picture.convert("P"), "PNG", {}, 0),
    "png-palette-with-a-clear-colour": (lambda picture: picture.convert("P"), "PNG", {"transparency": 7}, 0),
    "png-alpha": (see_through, "PNG", {}, 0),
    "png-grey-alpha": (lambda picture: picture.convert("LA"), "PNG", {}, 0),
    "png-16-bit": (in_16_bits, "PNG", {}, 0),
    "png-turned": (lambda picture: picture, "PNG", turned(6), 0),
    "jpeg": (lambda picture: picture, "JPEG", {"quality": 90}, JPEG),
    "jpeg-grey": (lambda picture: picture.convert("L"), "JPEG", {}, JPEG),
    "jpeg-progressive": (lambda picture: picture, "JPEG", {"progressive": True}, JPEG),
    "jpeg-turned": (lambda picture: picture, "JPEG", turned(8), 0),
    "jpeg-cmyk": (lambda picture: picture.convert("CMYK"), "JPEG", {}, 0),
    "bmp-rgb": (lambda picture: picture, "BMP", {}, 0),
    "bmp-grey": (lambda picture: picture.convert("L"), "BMP", {}, 0),
    "bmp-palette": (lambda picture: picture.convert("P"), "BMP", {}, 0),
    "bmp-1-bit": (lambda picture: picture.convert("1"), "BMP", {}, 0),
    "gif": (lambda picture: picture.convert("P"), "GIF", {}, 0),
    "gif-with-a-clear-colour": (lambda picture: picture.convert("P"), "GIF", {"transparency": 7}, 0),
    "webp": (lambda picture: picture, "WEBP", {"quality": 80}, 0),
    "webp-alpha": (see_through, "WEBP", {"lossless": True, "exact": True}, 0),
    "tiff": (lambda picture: picture, "TIFF", {}, 0),
    "tiff-16-bit": (in_16_bits, "TIFF", {}, 0),
    "tiff-cmyk": (lambda picture: picture.convert("CMYK"), "TIFF", {}, 0),
    "tiff-turned": (lambda picture: picture, "TIFF", {"tiffinfo": {ORIENTATION: 3}}, 0),
}


def file_of(name, photo, saved):
    made, kind, options, tolerance = FORMATS[name]
    return saved(made(photo), kind, **options), tolerance


each_format = pytest.mark.parametrize("name", FORMATS)
each_number_of_channels = pytest.mark.parametrize("channels", [1, 3])


@each_format
@each_number_of_channels
def test_tensorflow_decodes_exactly_the_pixels_that_ingestion_has_seen(name, channels, photo, saved):
    content, _ = file_of(name, photo, saved)
    shown = pictures.pixels(content, channels=channels)
    said = DataSettings(image=ImageSettings(height=shown.shape[0], width=shown.shape[1], channels=channels))

    assert np.array_equal(decoded(stored(content, said), said), shown)


@each_format
@each_number_of_channels
@pytest.mark.parametrize("resize", ["exact", "fit", "crop"])
def test_what_a_client_sends_is_seen_as_training_saw_it(name, channels, resize, photo, saved):
    content, tolerance = file_of(name, photo, saved)
    said = settings(channels, resize=resize)
    difference = np.abs(sent(pictures.sendable(content), said) - decoded(stored(content, said), said))

    assert difference.max() <= tolerance


@pytest.mark.parametrize("name", ["png-rgb", "png-alpha", "png-16-bit", "bmp-rgb", "bmp-grey", "gif", "jpeg"])
def test_a_client_without_ours_is_answered_as_training_saw_it_where_tensorflow_can(name, photo, saved):
    content, tolerance = file_of(name, photo, saved)
    for channels in (1, 3):
        said = settings(channels)
        difference = np.abs(sent(content, said) - decoded(stored(content, said), said))
        assert difference.max() <= tolerance


def test_colours_are_those_that_were_drawn(saved):
    red = Image.new("RGB", (8, 8), (200, 30, 40))
    red.putpixel((0, 0), (0, 0, 0))  # no image is of one colour
    few = red.quantize(2)
    for made, kind in ((red, "PNG"), (few, "PNG"), (few, "BMP"), (few, "GIF"), (red, "TIFF")):
        said = settings(side=8)
        assert decoded(stored(saved(made, kind), said), said)[4, 4].tolist() == [200, 30, 40]
    said = settings(1, side=8)
    assert decoded(stored(saved(red, "PNG"), said), said)[4, 4].tolist() == [82]  # Rec. 601


def test_a_turned_photo_is_set_upright(saved):
    lit_from_above = Image.linear_gradient("L").transpose(Image.Transpose.ROTATE_180)
    for orientation, back in {3: "ROTATE_180", 6: "ROTATE_90", 8: "ROTATE_270"}.items():
        lying = lit_from_above.transpose(Image.Transpose[back])
        said = settings(1, side=16)
        upright = decoded(stored(saved(lying, "PNG", **turned(orientation)), said), said)
        assert upright[0].mean() > 230, orientation
        assert upright[-1].mean() < 25, orientation


def test_nothing_but_pixels_is_stored(photo, saved):
    exif = Image.Exif()
    exif[GPS] = {1: "N", 2: (52.0, 31.0, 12.0)}
    content = saved(photo, "JPEG", exif=exif, comment=b"at home", icc_profile=b"a profile")
    with Image.open(io.BytesIO(stored(content, settings()))) as image:
        image.load()
        assert (image.format, image.info, dict(image.getexif())) == ("PNG", {}, {})


def test_each_policy_places_an_image_in_its_own_way():
    wide = np.full((20, 40, 1), 200, np.uint8)
    wide[:, 10:30] = 100  # the middle
    places = {}
    for resize in ("exact", "fit", "crop"):
        size = ImageSettings(height=10, width=10, channels=1, resize=resize)
        places[resize] = pixels.resized(tf.constant(wide), size).numpy()[:, :, 0]
    assert (places["exact"][:, 4] == 100).all()
    assert (places["exact"][:, 0] == 200).all()
    assert (places["fit"][:2] == 0).all()
    assert (places["fit"][4:6, 0] == 200).all()
    assert (places["crop"][:, 1:9] == 100).all()


def test_what_shrinks_is_averaged_instead_of_picked():
    stripes = np.zeros((64, 64, 1), np.uint8)
    stripes[:, ::2] = 255
    small = pixels.resized(tf.constant(stripes), ImageSettings(height=8, width=8, channels=1)).numpy()
    assert np.abs(small.astype(int) - 127).max() < 10


def test_an_image_of_the_model_s_size_stays_as_it_is():
    image = np.random.default_rng(2).integers(0, 256, (9, 7, 3)).astype(np.uint8)
    for resize in ("exact", "fit", "crop"):
        size = ImageSettings(height=9, width=7, channels=3, resize=resize)
        assert np.array_equal(pixels.resized(tf.constant(image), size), image)


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def bomb(side):
    """A PNG of a few hundred bytes whose header promises `side` x `side` pixels."""
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


BAD = {
    "zero-byte": (lambda photo, saved: b"", "expected an image, got an empty file"),
    "text": (
        lambda photo, saved: b"<html>Not found</html>",
        "expected an image (PNG, JPEG, GIF, BMP, WEBP, TIFF, PPM), got 22 bytes of something else",
    ),
    "truncated-jpeg": (lambda photo, saved: saved(photo, "JPEG")[:-200], "got a damaged one: "),
    "truncated-png": (lambda photo, saved: saved(photo, "PNG")[:-2000], "got a damaged one: "),
    "truncated-gif": (lambda photo, saved: saved(photo.convert("P"), "GIF")[:-900], "got a damaged one: "),
    "bomb": (lambda photo, saved: bomb(6000), "expected at most 25 megapixels, got 36.0 (6000 x 6000)"),
    "great-bomb": (lambda photo, saved: bomb(60000), "expected at most 25 megapixels, got more than 178"),
    "animated-gif": (
        lambda photo, saved: saved(photo, "GIF", save_all=True, append_images=[photo.rotate(90)]),
        "expected one image, got 2 of them in one GIF: save the one meant",
    ),
    "animated-webp": (
        lambda photo, saved: saved(photo, "WEBP", save_all=True, append_images=[photo.rotate(90)]),
        "expected one image, got 2 of them in one WEBP: save the one meant",
    ),
    "pages-of-tiff": (
        lambda photo, saved: saved(photo, "TIFF", save_all=True, append_images=[photo.rotate(90)]),
        "expected one image, got 2 of them in one TIFF: save the one meant",
    ),
    "floating-point-tiff": (
        lambda photo, saved: saved(photo.convert("F"), "TIFF"),
        "expected grey or coloured pixels of 1, 8 or 16 bits, got a TIFF of Pillow's mode F: save it as grey or RGB",
    ),
    "lab-tiff": (
        lambda photo, saved: saved(Image.new("LAB", (8, 8)), "TIFF"),
        "expected grey or coloured pixels of 1, 8 or 16 bits, got a TIFF of Pillow's mode LAB: save it as grey or RGB",
    ),
    "too-small": (
        lambda photo, saved: saved(photo.resize((9, 3)), "PNG"),
        "expected sides of at least 4 pixels (data.min_side_px), got 9 x 3",
    ),
    "blank": (
        lambda photo, saved: saved(Image.new("RGB", (30, 30), "white"), "PNG"),
        "expected an image of something, got one flat colour",
    ),
    "all-clear": (
        lambda photo, saved: saved(Image.new("RGBA", (30, 30), (0, 0, 0, 0)), "PNG"),
        "expected an image of something, got one flat colour",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_an_image_that_cannot_be_learned_from_is_set_aside_with_its_reason(name, photo, saved):
    made, reason = BAD[name]
    with pytest.raises(UnusableRecordError) as caught:
        stored(made(photo, saved), settings())
    assert reason in str(caught.value)
    assert " object at 0x" not in str(caught.value)


def test_no_bad_file_is_among_the_examples_and_each_is_in_quarantine_with_its_reason(
    image_folder, photo, saved, tmp_path, ingested, mortal
):
    folder = shutil.copytree(image_folder, tmp_path / "images")
    for name, (made, _) in BAD.items():
        (folder / "dark" / f"{name}.png").write_bytes(made(photo, saved))
    (folder / "dark/out.png").symlink_to("/etc/hostname")
    (folder / "dark/closed.png").write_bytes(saved(photo, "PNG"))
    (folder / "dark/closed.png").chmod(0)
    shutil.copytree(folder / "light", folder / "lihgt")
    said = settings(1, side=8, source="image_folder", path=str(folder), max_quarantined_fraction=0.6)
    usable = Usable(sources, ingestion, labels, said, TargetSettings(classes=["dark", "light"]))
    result = ingested(usable, tmp_path)

    there = {path.relative_to(image_folder).as_posix() for path in image_folder.glob("*/*")}
    found = [each for split in records.SPLITS for each in records.read_split(tmp_path / "examples", split)]
    assert {records.id_of(each) for each in found} == there
    for name, (_, reason) in BAD.items():
        assert reason in result.quarantined.pop(f"dark/{name}.png")
    assert "leads out of it, to /etc/hostname" in result.quarantined.pop("dark/out.png")
    assert "that can be read, got Permission denied" in result.quarantined.pop("dark/closed.png")
    reasons = set(result.quarantined.values())
    assert reasons == {"expected a label among dark, light, got 'lihgt'"}
    lines = (tmp_path / "quarantine/quarantine.jsonl").read_text().splitlines()
    assert len(lines) == len(BAD) + 2 + len(list((folder / "light").iterdir()))


def test_an_image_whose_rim_alone_shows_something_is_blank_once_it_is_cropped(saved):
    rim = Image.new("L", (60, 20), 90)
    rim.putpixel((0, 0), 200)
    with pytest.raises(UnusableRecordError, match="one flat colour in what `resize: crop` leaves of it"):
        stored(saved(rim, "PNG"), settings(1, resize="crop"))


def test_the_limit_of_megapixels_is_the_configuration_s(photo, saved):
    with pytest.raises(UnusableRecordError, match=r"expected at most 0.002 megapixels, got 0.0 \(61 x 47\)"):
        stored(saved(photo, "PNG"), settings(max_megapixels=0.002))


def test_a_photo_whose_camera_has_added_a_preview_is_that_photo(photo, saved):
    content = saved(photo, "MPO", save_all=True, append_images=[photo.resize((20, 16))])
    with Image.open(io.BytesIO(content)) as image:
        assert (image.format, image.n_frames) == ("MPO", 2)
    said = settings()
    assert np.abs(sent(content, said) - decoded(stored(content, said), said)).max() <= JPEG
