import io
import struct
import zlib
from contextlib import suppress

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from components.families.image import ingestion, pixels, plain_png
from components.families.image.data import DataSettings, ImageSettings
from components.source import RawRecord, UnusableRecordError
from serving import pictures

GREY = ImageSettings(height=6, width=9, channels=1)
COLOURS = ImageSettings(height=6, width=9, channels=3)
either = pytest.mark.parametrize("size", [GREY, COLOURS], ids=["grey", "colours"])
FILTERS = range(5)


def shown(size, seed=1):
    values = np.random.default_rng(seed).integers(0, 256, (size.height, size.width, size.channels))
    return values.astype(np.uint8)


def saved(image, **options):
    file = io.BytesIO()
    Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image).save(file, format="PNG", **options)
    return file.getvalue()


def chunk(kind, data):
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


def made(size, rows, *, depth=8, interlaced=0, packed=None, between=b""):
    """A PNG of filtered rows."""
    kind = 0 if size.channels == 1 else 2
    header = struct.pack(">IIBBBBB", size.width, size.height, depth, kind, 0, 0, interlaced)
    data = chunk(b"IDAT", zlib.compress(rows) if packed is None else packed)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + between + data + chunk(b"IEND", b"")


def filtered(image, kind):
    """The rows of an image, each by one filter of the PNG specification, by its formula."""
    height, width, channels = image.shape
    rows = image.reshape(height, width * channels).astype(int)
    lines = []
    for number, row in enumerate(rows):
        up = rows[number - 1] if number else np.zeros_like(row)
        left = np.concatenate([np.zeros(channels, int), row[:-channels]])
        corner = np.concatenate([np.zeros(channels, int), up[:-channels]])
        guess = left + up - corner
        near = np.stack([abs(guess - left), abs(guess - up), abs(guess - corner)])
        paeth = np.choose(near.argmin(axis=0), [left, up, corner])
        predicted = (np.zeros_like(row), left, up, (left + up) // 2, paeth)[kind]
        lines.append(bytes([kind]) + ((row - predicted) % 256).astype(np.uint8).tobytes())
    return b"".join(lines)


def stored(content, size):
    found = ingestion.features(RawRecord("a", content, "dark"), DataSettings(image=size))
    return found[pixels.IMAGE].bytes_list.value[0]


@either
@pytest.mark.parametrize("level", [0, 1, 9])
def test_a_file_of_nothing_but_pixels_is_stored_as_it_is(size, level):
    content = saved(shown(size), compress_level=level)
    assert stored(content, size) == content


@either
@pytest.mark.parametrize("kind", FILTERS)
def test_both_decoders_see_the_same_in_it_whatever_its_filters(size, kind):
    content = made(size, filtered(shown(size), kind))
    assert stored(content, size) == content
    assert np.array_equal(pictures.pixels(content, channels=size.channels), shown(size))
    assert np.array_equal(tf.io.decode_png(content).numpy(), shown(size))


@either
@pytest.mark.parametrize("kind", FILTERS)
@pytest.mark.parametrize("value", [0, 1, 128, 255])
def test_one_flat_colour_is_refused_whatever_its_filters(size, kind, value):
    flat = np.full((size.height, size.width, size.channels), value, np.uint8)
    content = made(size, filtered(flat, kind))
    assert not plain_png.is_plain(content, size)
    with pytest.raises(UnusableRecordError, match="one flat colour"):
        stored(content, size)


def with_text():
    text = PngInfo()
    text.add_text("Comment", "taken at home")
    return saved(shown(GREY), pnginfo=text)


def with_exif():
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(shown(GREY), exif=exif)


GOOD = filtered(shown(GREY), 0)
OTHERS = {
    "a comment": with_text(),
    "EXIF": with_exif(),
    "gamma": made(GREY, GOOD, between=chunk(b"gAMA", (45455).to_bytes(4, "big"))),
    "bytes behind its end": saved(shown(GREY)) + b"secret",
    "a comment behind its end": saved(shown(GREY)) + chunk(b"tEXt", b"a\0b") + chunk(b"IEND", b""),
    "bytes behind its pixels": made(GREY, GOOD, packed=zlib.compress(GOOD) + b"secret"),
    "more pixels": made(GREY, GOOD + b"\0"),
    "fewer pixels": made(GREY, GOOD[:-1]),
    "torn pixels": made(GREY, GOOD, packed=zlib.compress(GOOD)[:-5]),
    "damaged pixels": made(GREY, GOOD, packed=b"\0" + zlib.compress(GOOD)),
    "no pixels": made(GREY, GOOD, packed=b""),
    "a filter that there is not": made(GREY, b"\5" + GOOD[1:]),
    "a wrong checksum": saved(shown(GREY)).replace(b"IDAT", b"IDAU"),
    "16 bits": made(GREY, GOOD, depth=16),
    "rows out of order": made(GREY, GOOD, interlaced=1),
    "colours": saved(shown(COLOURS)),
    "another size": saved(shown(ImageSettings(height=9, width=6, channels=1))),
    "cut": saved(shown(GREY))[:-1],
    "a length beyond its end": saved(shown(GREY))[:33] + b"\xff\xff\xff\xff" + saved(shown(GREY))[37:],
    "nothing": b"",
}


@pytest.mark.parametrize("content", OTHERS.values(), ids=OTHERS)
def test_no_other_file_is_stored_as_it_is(content):
    assert not plain_png.is_plain(content, GREY)
    with suppress(UnusableRecordError):
        assert stored(content, GREY) != content


def test_a_plain_file_of_the_model_s_size_may_still_be_too_small_or_too_large():
    content = saved(shown(GREY))
    for limit in ({"min_side_px": 7}, {"max_megapixels": 0.00005}):
        with pytest.raises(UnusableRecordError, match="expected"):
            ingestion.features(RawRecord("a", content, "dark"), DataSettings(image=GREY, **limit))
