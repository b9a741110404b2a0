"""Files of images: how they are called in a record, how they are read, and which of them are no images at all."""

import errno
import os
from pathlib import Path
from stat import S_ISREG

from components.source import RawRecord
from contract.errors import DataError

LITTER = ("Thumbs.db", "desktop.ini")  # what a file manager leaves; .DS_Store is hidden
OF_ONE_FILE = (errno.EACCES, errno.EPERM, errno.EIO)  # no permission, or a damaged spot on the disk


def is_litter(path: Path) -> bool:
    """Returns whether a file or folder is hidden, or one that nobody has put there."""
    return path.name.startswith(".") or path.name in LITTER


def spelled(name: str) -> str:
    """Returns the name of a file as text that can be stored anywhere, and that no other name is spelled like."""
    return os.fsencode(name).replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")


def record_of(path: Path, root: Path, label: str, problem: str) -> RawRecord:
    """Returns the record of a file, called by its place below `root`; it is read where there is no problem.

    Raises:
        DataError: If the file is gone, or the system cannot read it at this time.
    """
    name, content = spelled(path.relative_to(root).as_posix()), b""
    if not problem:
        try:
            content = _content(path)
        except OSError as error:
            problem = f"expected a file that can be read, got {error.strerror}"
    return RawRecord(name, content, spelled(label), problem)


def is_itself(path: Path) -> bool:
    """Returns whether a path is a file and no link to one."""
    try:
        return S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def problem_of(path: Path, root: Path) -> str:
    """Returns why a path is no file of the folder `root`; empty where it is one, or is gone."""
    inside = root.resolve()
    try:
        target = path.resolve()
    except (OSError, RuntimeError):  # a link to itself leads nowhere else; not every version of Python minds
        target = inside
    if not target.is_relative_to(inside):
        return f"expected a file of the folder, got a link or a path that leads out of it, to {spelled(str(target))}"
    if path.is_symlink() and not target.is_file():
        return f"expected a file or a link to one, got a link to {spelled(str(path.readlink()))}"
    if path.exists() and not path.is_file():
        return "expected a file, got a folder, a device or a pipe"
    return ""


def _content(path: Path) -> bytes:
    """Reads a file; what is wrong with this one file is an OSError, what is wrong around it a DataError."""
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise DataError(
            f"Expected the data to stay as it is while it is read, and {spelled(str(path))} has vanished. "
            "When nothing writes to the folder any more, clear `ingest`, which takes the data as it is then."
        ) from error
    except OSError as error:
        if error.errno in OF_ONE_FILE:
            raise
        raise unreadable(path, error) from error


def unreadable(path: Path, error: OSError) -> DataError:
    """Returns what to say of a file or folder that may not be read."""
    return DataError(
        f"Expected to read {spelled(str(path))}, and that fails: {error.strerror}. Let whoever runs Slipway "
        "read it, or remove it; then clear `ingest`."
    )
