"""Bare pixels as an image file: a line in front says how they lie. The same pixels are always the same bytes."""


def of_grey(pixels: bytes, height: int, width: int) -> bytes:
    """Returns a PGM file of `height` x `width` intensities, row by row."""
    return b"P5 %d %d 255\n" % (width, height) + pixels


def of_rgb(pixels: bytes, height: int, width: int) -> bytes:
    """Returns a PPM file of `height` x `width` x 3 intensities, row by row."""
    return b"P6 %d %d 255\n" % (width, height) + pixels
