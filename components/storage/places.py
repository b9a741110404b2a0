"""Where files lie, by what `data.path` says: a path of this machine, or a URL."""

from components.storage.files import Folder
from components.storage.local import Local
from components.storage.remote import Remote

HERE = ("file://", "local://")  # links are looked at as those of any folder


def folder(path: str) -> Folder:
    """Returns a folder, which need not be there.

    Args:
        path: Of this machine, or a URL of any file system that fsspec reads, such as `s3://bucket/flowers`.

    Raises:
        SettingsError: If there is no such kind of file system, or what reads it is not installed.
    """
    if path.startswith(HERE):
        return Local(path.partition("://")[2])
    return Remote(path) if "://" in path else Local(path)


def file(path: str) -> tuple[Folder, str]:
    """Returns the folder of a file, and the name of the file in it; see `folder`."""
    name = path.rstrip("/").rpartition("/")[2]
    return folder(path.rstrip("/").removesuffix(name)), name
