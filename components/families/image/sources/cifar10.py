"""CIFAR-10, as its authors publish it: the version of plain bytes, and that for Python."""

import pickle
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np

from components.families.image.data import DataSettings
from components.families.image.sources import netpbm, published
from components.source import Entry, RawRecord, Slice
from components.storage import places
from components.storage.files import Folder, unreadable
from contract.errors import DataError

BATCHES = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch")
WAYS = (
    "Download https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz or cifar-10-python.tar.gz from there, unpack it, "
    "and set data.path to the folder of the batches. Where there is a network, data.download: cifar10 fetches them."
)
OF_BYTES = ".bin"  # those for Python have no suffix
SIDE_PX = 32
PIXELS = 3 * SIDE_PX * SIDE_PX


def cifar10(settings: DataSettings, name: str) -> Iterator[RawRecord]:
    """Yields the images of a batch.

    Raises:
        DataError: If it is damaged.
    """
    folder, _ = _batches(settings)
    found = _of_bytes(folder, name) if name.endswith(OF_BYTES) else _of_python(folder, name)
    try:
        yield from _records(name.removesuffix(OF_BYTES), found, settings)
    except OSError as error:
        raise unreadable(folder.place(name), error) from error


def slices(settings: DataSettings) -> Iterator[Slice]:
    """Yields the six batches, as many of them as there are.

    Raises:
        DataError: If there is none.
    """
    _, names = _batches(settings)
    return ((name,) for name in names)


def listed(settings: DataSettings) -> Iterator[Entry]:
    """Yields the state of each of those batches.

    Raises:
        DataError: If there is none.
    """
    folder, names = _batches(settings)
    return folder.entries(names)


def _batches(settings: DataSettings) -> tuple[Folder, list[str]]:
    """Returns where the batches are, and their names."""
    folder = places.folder(settings.path)
    found = _batches_in(folder)
    if not found and settings.download:
        folder = published.fetched(settings.download, WAYS)
        found = _batches_in(folder)
    if not found:
        raise DataError(
            f"Expected data_batch_1.bin to data_batch_5.bin and test_batch.bin in {folder.place('')}, or the same "
            f"without .bin, and there are none. {WAYS}"
        )
    return folder, found


def _batches_in(folder: Folder) -> list[str]:
    of_either = ([f"{batch}{end}" for batch in BATCHES] for end in (OF_BYTES, ""))
    return next(filter(None, ([*filter(folder.exists, names)] for names in of_either)), [])


def _records(batch: str, found: Iterator[tuple[int, bytes]], settings: DataSettings) -> Iterator[RawRecord]:
    for index, (label, planes) in enumerate(found):
        rows = np.frombuffer(planes, np.uint8).reshape(3, SIDE_PX, SIDE_PX).transpose(1, 2, 0).tobytes()
        content = netpbm.of_rgb(rows, SIDE_PX, SIDE_PX)
        yield RawRecord(f"{batch}-{index:05d}", content, settings.name_of(label))


def _of_bytes(folder: Folder, name: str) -> Iterator[tuple[int, bytes]]:
    """Yields labels, and red, green and blue one after the other."""
    with folder.open(name) as file:
        while record := file.read(1 + PIXELS):
            if len(record) != 1 + PIXELS:
                raise DataError(
                    f"{folder.place(name)} ends within an image: expected {1 + PIXELS} bytes each. Download it again."
                )
            yield record[0], record[1:]


class _Unpickler(pickle.Unpickler):
    """Builds numpy's arrays, and what Python itself is made of; a pickle may ask for anything, and run it."""

    KNOWN: ClassVar = {
        ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
        ("numpy._core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
    }

    def find_class(self, module: str, name: str) -> Any:
        """Returns what a pickle may ask for by name.

        Raises:
            pickle.UnpicklingError: If it asks for anything else.
        """
        if (module, name) not in self.KNOWN:
            raise pickle.UnpicklingError(f"a pickle that asks for {module}.{name}")
        return self.KNOWN[module, name]


def _of_python(folder: Folder, name: str) -> Iterator[tuple[int, bytes]]:
    with folder.open(name) as file:
        try:
            batch = _Unpickler(file, encoding="bytes").load()
            pixels, labels = np.asarray(batch[b"data"], np.uint8), [int(label) for label in batch[b"labels"]]
            if pixels.shape != (len(labels), PIXELS):
                raise ValueError(f"pixels of shape {pixels.shape} and {len(labels)} labels")
        except OSError:
            raise
        except Exception as error:  # a damaged pickle can raise anything
            raise DataError(
                f"Expected a batch of CIFAR-10 in {folder.place(name)}, `data` [n, {PIXELS}] and `labels` [n], got "
                f"{error}. Nothing of it was run. Download it again."
            ) from error
    for label, planes in zip(labels, pixels, strict=True):
        yield label, planes.tobytes()
