"""Which pixels an image file shows: one rule, for what is learned from and for what a client sends. See docs/images.md.

Knows Pillow, nothing of TensorFlow.
"""

import io

import numpy as np
from PIL import Image, UnidentifiedImageError

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM")
DECODED_ALIKE = ("PNG", "JPEG", "MPO")  # by TensorFlow and by Pillow
SIXTEEN_BITS = "I;16"
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")
PILLOWS_LIMIT = 178  # megapixels, above which it opens nothing
TURNED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
ORIENTATION = 0x0112  # of EXIF


class NoImageError(ValueError):
    """Bytes are of no image file at all."""


class UnclearImageError(ValueError):
    """An image file does not show one image, or not by the rule; the text says what was expected and what is there."""


def pixels(content: bytes, *, channels: int, max_megapixels: float = PILLOWS_LIMIT) -> np.ndarray:
    """Returns what a file shows, the right way up.

    Args:
        content: Of the file.
        channels: 1 for grey, 3 for RGB.
        max_megapixels: Largest acceptable image, before anything of it is decoded.

    Returns:
        uint8 `[height, width, channels]`.

    Raises:
        NoImageError: If no format is recognised.
        UnclearImageError: If the file is damaged or too large, has several images, or colours without a rule.
    """
    shown = _opened(content, max_megapixels)
    if _is_turned(shown):
        shown = shown.transpose(TURNED[shown.getexif()[ORIENTATION]])
    if shown.mode.startswith(SIXTEEN_BITS):
        shown = Image.fromarray((np.asarray(shown) >> 8).astype(np.uint8))
    if shown.mode != ("L" if channels == 1 else "RGB"):
        shown.info.pop("transparency", None)
        shown = shown.convert("RGBA" if shown.mode == "PA" else "RGB").convert("RGB")
        shown = shown.convert("L") if channels == 1 else shown
    return np.asarray(shown).reshape([shown.height, shown.width, channels])


def png(image: np.ndarray) -> bytes:
    """Returns uint8 `[height, width, 1 or 3]` as a PNG file that holds nothing else."""
    file = io.BytesIO()
    Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image).save(
        file, format="PNG", compress_level=1
    )
    return file.getvalue()


def sendable(content: bytes) -> bytes:
    """Returns a file that TensorFlow decodes to what `pixels` returns, but for how exactly it decodes a JPEG.

    Raises:
        UnclearImageError: If `pixels` would return nothing.
    """
    try:
        image = _opened(content, PILLOWS_LIMIT)
    except NoImageError:
        return content  # whatever it is, the model says what it thinks of it
    alike = image.format in DECODED_ALIKE and image.mode != "CMYK" and not _is_turned(image)
    return content if alike else png(pixels(content, channels=3))


def _is_turned(image: Image.Image) -> bool:
    return image.getexif().get(ORIENTATION) in TURNED


def _opened(content: bytes, max_megapixels: float) -> Image.Image:
    """Opens a file, and decodes all of it once its header has shown that this can be done."""
    if not content:
        raise UnclearImageError("expected an image, got an empty file")
    try:
        image = Image.open(io.BytesIO(content), formats=FORMATS)
        _check(image, max_megapixels)
        image.load()
        image.getexif()  # kept with the image; it may be damaged too
    except UnclearImageError:
        raise
    except UnidentifiedImageError as error:
        # Its text has the address of a Python object, in place of what it looked at.
        raise NoImageError(
            f"expected an image ({', '.join(FORMATS)}), got {len(content)} bytes of something else"
        ) from error
    except Image.DecompressionBombError as error:
        raise UnclearImageError(
            f"expected at most {max_megapixels:g} megapixels, got more than {PILLOWS_LIMIT}"
        ) from error
    except Exception as error:  # each format has errors of its own
        raise UnclearImageError(f"expected a whole image, got a damaged one: {error}") from error
    return image


def _check(image: Image.Image, max_megapixels: float) -> None:
    megapixels = image.width * image.height / 1e6
    if megapixels > max_megapixels:
        raise UnclearImageError(
            f"expected at most {max_megapixels:g} megapixels, got {megapixels:.1f} ({image.width} x {image.height})"
        )
    # An MPO is a photo whose camera has added a preview behind it.
    if image.format != "MPO" and (count := getattr(image, "n_frames", 1)) > 1:
        raise UnclearImageError(
            f"expected one image, got {count} of them in one {image.format}: save the one meant"
        )
    if image.mode not in MODES and not image.mode.startswith(SIXTEEN_BITS):
        raise UnclearImageError(
            f"expected grey or coloured pixels of 1, 8 or 16 bits, got a {image.format} of Pillow's mode "
            f"{image.mode}: save it as grey or RGB"
        )
