"""A folder with one folder for each class."""

from collections.abc import Iterator, Sequence

from components.families.image.data import DataSettings
from components.source import Entry, RawRecord, Slice, cut
from components.storage import places
from components.storage.files import IN_A_SLICE, File, Folder, spelled
from contract.errors import DataError


def image_folder(settings: DataSettings, names: Sequence[str]) -> Iterator[RawRecord]:
    """Yields some of the files below `<path>/<class>/`.

    Raises:
        DataError: If one of them cannot be read.
    """
    return map(record_of, places.folder(settings.path).read(names))


def slices(settings: DataSettings) -> Iterator[Slice]:
    """Yields all of those files, some at a time, at any depth, in the order of the names.

    Raises:
        DataError: If there is no such folder, or a folder in it cannot be read.
    """
    return cut(labelled(places.folder(settings.path)), IN_A_SLICE)


def listed(settings: DataSettings) -> Iterator[Entry]:
    """Yields the state of each of those files.

    Raises:
        DataError: If there is no such folder, or a folder in it cannot be read.
    """
    folder = places.folder(settings.path)
    return folder.entries(labelled(folder))


def labelled(folder: Folder) -> Iterator[str]:
    """Yields the files of a folder that have a class, in the order of the names.

    Raises:
        DataError: If there is no such folder, or a folder in it cannot be read.
    """
    if not folder.is_there():
        raise DataError(
            f"Expected a folder with one folder per class at {folder.place('')}, and there is none. "
            "Change data.path in the pipeline's configuration."
        )
    # A link among the folders of the classes may be meant as one.
    return (name for name in folder.names() if "/" in name or folder.is_link(name))


def record_of(file: File) -> RawRecord:
    """Returns the record of a file that has a class."""
    return RawRecord(spelled(file.name), file.content, spelled(label_of(file.name)), file.problem)


def label_of(name: str) -> str:
    """Returns the class of a file: the first folder below the root."""
    return name.split("/", 1)[0]
