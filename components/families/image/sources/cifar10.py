"""CIFAR-10, as its authors publish it: the version of plain bytes, and that for Python."""

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from components.families.image.data import DataSettings
from components.families.image.sources import netpbm
from components.families.image.sources.files import unreadable
from components.source import RawRecord
from contract.errors import DataError

BATCHES = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch")
SIDE_PX = 32
PIXELS = 3 * SIDE_PX * SIDE_PX


def cifar10(settings: DataSettings) -> Iterator[RawRecord]:
    """Yields the images of the six batches, as many of them as there are.

    Raises:
        DataError: If there is none, or one of them is damaged.
    """
    folder = Path(settings.path)
    of_bytes = [path for name in BATCHES if (path := folder / f"{name}.bin").is_file()]
    of_python = [path for name in BATCHES if (path := folder / name).is_file()]
    for path in of_bytes or of_python:
        try:
            yield from _records(path, _of_bytes(path) if of_bytes else _of_python(path), settings)
        except OSError as error:
            raise unreadable(path, error) from error
    if not of_bytes and not of_python:
        raise DataError(
            f"Expected data_batch_1.bin to data_batch_5.bin and test_batch.bin in {folder}, or the same without .bin, "
            "and there are none. Download https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz or "
            "cifar-10-python.tar.gz from there, unpack it, and set data.path to the folder of the batches."
        )


def _records(path: Path, found: Iterator[tuple[int, bytes]], settings: DataSettings) -> Iterator[RawRecord]:
    for index, (label, planes) in enumerate(found):
        rows = np.frombuffer(planes, np.uint8).reshape(3, SIDE_PX, SIDE_PX).transpose(1, 2, 0).tobytes()
        content = netpbm.of_rgb(rows, SIDE_PX, SIDE_PX)
        yield RawRecord(f"{path.stem}-{index:05d}", content, settings.name_of(label))


def _of_bytes(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yields labels, and red, green and blue one after the other."""
    with path.open("rb") as file:
        while record := file.read(1 + PIXELS):
            if len(record) != 1 + PIXELS:
                raise DataError(
                    f"{path} ends within an image: expected {1 + PIXELS} bytes each. Download it again."
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


def _of_python(path: Path) -> Iterator[tuple[int, bytes]]:
    with path.open("rb") as file:
        try:
            batch = _Unpickler(file, encoding="bytes").load()
            pixels, labels = np.asarray(batch[b"data"], np.uint8), [int(label) for label in batch[b"labels"]]
            if pixels.shape != (len(labels), PIXELS):
                raise ValueError(f"pixels of shape {pixels.shape} and {len(labels)} labels")
        except OSError:
            raise
        except Exception as error:  # a damaged pickle can raise anything
            raise DataError(
                f"Expected a batch of CIFAR-10 in {path}, `data` [n, {PIXELS}] and `labels` [n], got {error}. "
                "Nothing of it was run. Download it again."
            ) from error
    for label, planes in zip(labels, pixels, strict=True):
        yield label, planes.tobytes()
