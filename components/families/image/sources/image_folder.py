"""A folder with one folder for each class."""

from collections.abc import Iterator
from pathlib import Path

from components.families.image.data import DataSettings
from components.families.image.sources.files import is_litter, record_of, unreadable
from components.source import RawRecord
from contract.errors import DataError


def image_folder(settings: DataSettings) -> Iterator[RawRecord]:
    """Yields every file below `<path>/<class>/`, at any depth, in the order of the names.

    Raises:
        DataError: If there is no such folder, or something in it cannot be read.
    """
    root = Path(settings.path)
    if not root.is_dir():
        raise DataError(
            f"Ingestion expected a folder with one folder per class at {root}, and there is none. "
            "Change data.path in the pipeline's configuration."
        )
    for of_class in _visible(root):
        if of_class.is_symlink() or of_class.is_dir():
            for path in _files(of_class):
                yield record_of(path, root, of_class.name)


def _files(path: Path) -> Iterator[Path]:
    """Yields what is no folder; a link is not followed: it might lead in a circle, or to the same files again."""
    if path.is_symlink() or not path.is_dir():
        yield path
    else:
        for child in _visible(path):
            yield from _files(child)


def _visible(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if not is_litter(path))
    except OSError as error:
        raise unreadable(folder, error) from error
