"""A folder with one folder for each class."""

from collections.abc import Iterator
from pathlib import Path

from components.families.image.data import DataSettings
from components.families.image.sources.files import (
    is_itself,
    is_litter,
    problem_of,
    record_of,
    unreadable,
)
from components.source import RawRecord
from contract.errors import DataError


def image_folder(settings: DataSettings) -> Iterator[RawRecord]:
    """Yields every file below `<path>/<class>/`, at any depth, in the order of the names.

    Raises:
        DataError: If there is no such folder, or something in it cannot be read.
    """
    root = Path(settings.path)
    for path in labelled(root):
        yield record_at(path, root)


def labelled(root: Path) -> Iterator[Path]:
    """Yields the files of a folder that have a class, in the order of the names.

    Raises:
        DataError: If there is no such folder, or a folder in it cannot be read.
    """
    if not root.is_dir():
        raise DataError(
            f"Expected a folder with one folder per class at {root}, and there is none. "
            "Change data.path in the pipeline's configuration."
        )
    for of_class in _visible(root):
        if of_class.is_symlink() or of_class.is_dir():
            yield from _files(of_class)


def record_at(path: Path, root: Path) -> RawRecord:
    """Returns the record of a file that `labelled` has found.

    Raises:
        DataError: If the file is gone, or may not be read.
    """
    # No folder on the way to it is a link: to resolve each path would take longer than to read the file.
    problem = "" if is_itself(path) else problem_of(path, root)
    return record_of(path, root, label_of(path, root), problem)


def label_of(path: Path, root: Path) -> str:
    """Returns the class of a file: the first folder below the root."""
    return path.relative_to(root).parts[0]


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
