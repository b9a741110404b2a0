"""MNIST's format: a file of images and one of labels, each a short header and then the bytes."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from os import SEEK_CUR
from typing import IO

from components.families.image.data import DataSettings
from components.families.image.sources import netpbm, published
from components.source import Entry, RawRecord, Slice
from components.storage import places
from components.storage.files import Folder, unreadable
from contract.errors import DataError

PARTS = ("train", "t10k")
_Stream = IO[bytes] | gzip.GzipFile
IN_A_SLICE = 10_000  # images; of a file that is compressed, all before them are unpacked too
UNSIGNED_BYTES = 8  # the only type of value in MNIST and what was made like it
WAYS = (
    "For Fashion-MNIST install Debian's package dataset-fashion-mnist and set data.path to "
    "/usr/share/datasets/fashion-mnist, or download the four files from "
    "https://github.com/zalandoresearch/fashion-mnist; for MNIST download them from "
    "https://storage.googleapis.com/cvdf-datasets/mnist/. Put them into that folder, or set data.path to where they "
    "are. Where there is a network, data.download: fashion_mnist or mnist fetches them."
)


def idx(settings: DataSettings, part: str, start: int) -> Iterator[RawRecord]:
    """Yields `IN_A_SLICE` images of a part, those from `start` on, or as many as there are.

    Raises:
        DataError: If the part lacks images or labels, or a file is damaged.
    """
    folder, parts = _parts(settings)
    return _records(folder, part, *parts[part], settings, start)


def slices(settings: DataSettings) -> Iterator[Slice]:
    """Yields the parts `train` and `t10k`, plain or .gz, as many of both as there are, each in ranges.

    Raises:
        DataError: If there is neither, a part lacks images or labels, or a file is damaged.
    """
    folder, parts = _parts(settings)
    for part, (images, _) in parts.items():
        with _opened(folder, images, 3) as (_, (count, *_)):
            ranges = range(0, max(count, 1), IN_A_SLICE)  # of no images there may be labels: somebody looks
        yield from ((part, start) for start in ranges)


def listed(settings: DataSettings) -> Iterator[Entry]:
    """Yields the state of those files.

    Raises:
        DataError: If there are none, or a part lacks images or labels.
    """
    folder, parts = _parts(settings)
    return folder.entries(chain.from_iterable(parts.values()))


def _parts(settings: DataSettings) -> tuple[Folder, dict[str, tuple[str, str]]]:
    """Returns where the files are, and those of images and of labels by part."""
    folder = places.folder(settings.path)
    found = _parts_in(folder)
    if not found and settings.download:
        folder = published.fetched(settings.download, WAYS)
        found = _parts_in(folder)
    if not found:
        raise DataError(
            f"Expected train-images-idx3-ubyte and train-labels-idx1-ubyte in {folder.place('')}, plain or .gz, and "
            f"there are none. {WAYS}"
        )
    return folder, found


def _parts_in(folder: Folder) -> dict[str, tuple[str, str]]:
    found = {}
    for part in PARTS:
        images, labels = _file(folder, part, "images", 3), _file(folder, part, "labels", 1)
        if images and labels:
            found[part] = (images, labels)
        elif images or labels:
            raise DataError(
                f"Expected images and labels of {part} in {folder.place('')}, got {images or labels} alone."
            )
    return found


def _file(folder: Folder, part: str, what: str, dimensions: int) -> str | None:
    # With a dot instead of a dash where somebody's unpacker took it for a suffix.
    names = (f"{part}-{what}{mark}idx{dimensions}-ubyte{end}" for mark in "-." for end in ("", ".gz"))
    return next(filter(folder.exists, names), None)


def _records(
    folder: Folder, part: str, images: str, labels: str, settings: DataSettings, start: int
) -> Iterator[RawRecord]:
    with (
        _opened(folder, images, 3) as (pixels, (count, height, width)),
        _opened(folder, labels, 1) as (numbers, (labelled,)),
    ):
        if count != labelled:
            raise DataError(
                f"Expected a label for each image, got {count} in {images} and {labelled} in {labels}."
            )
        stop = min(start + IN_A_SLICE, count)
        pixels.seek(start * height * width, SEEK_CUR)
        numbers.seek(start, SEEK_CUR)
        for index in range(start, stop):
            content = netpbm.of_grey(_exactly(pixels, height * width, images), height, width)
            (number,) = _exactly(numbers, 1, labels)
            yield RawRecord(f"{part}-{index:05d}", content, settings.name_of(number))
        if stop == count:
            _check_ends(pixels, count * height * width, folder.place(images))
            _check_ends(numbers, count, folder.place(labels))


def _check_ends(file: _Stream, count: int, path: str) -> None:
    if file.read(1):
        raise DataError(f"Expected {count} bytes in {path}, as its header says, and more follow.")


@contextmanager
def _opened(folder: Folder, name: str, dimensions: int) -> Iterator[tuple[_Stream, tuple[int, ...]]]:
    """Opens a file behind its header, and tells the sizes that the header has."""
    path = folder.place(name)
    try:
        with folder.open(name) as stored, gzip.open(stored) if name.endswith(".gz") else stored as file:
            header = _exactly(file, 4, path)
            if header != bytes([0, 0, UNSIGNED_BYTES, dimensions]):
                raise DataError(
                    f"Expected {path} to begin as a file of {dimensions}-dimensional bytes in MNIST's format, got "
                    f"{header.hex(' ')}. Download it again."
                )
            sizes = tuple(int.from_bytes(_exactly(file, 4, path), "big") for _ in range(dimensions))
            yield file, sizes
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"Expected a whole gzip file in {path}, got {error}. Download it again.") from error
    except OSError as error:
        raise unreadable(path, error) from error


def _exactly(file: _Stream, count: int, path: str) -> bytes:
    content = file.read(count)
    if len(content) != count:
        raise DataError(
            f"{path} ends too early: expected {count} more bytes, got {len(content)}. Download it again."
        )
    return content
