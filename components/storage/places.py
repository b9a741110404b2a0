"""Where files lie, by what `data.path` says."""

from components.storage.files import Folder
from components.storage.local import Local


def folder(path: str) -> Folder:
    """Returns a folder, which need not be there.

    Args:
        path: Of this machine.
    """
    return Local(path)


def file(path: str) -> tuple[Folder, str]:
    """Returns the folder of a file, and the name of the file in it; see `folder`."""
    name = path.rstrip("/").rpartition("/")[2]
    return folder(path.rstrip("/").removesuffix(name)), name
