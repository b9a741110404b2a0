"""One digest for a folder of files, to tell whether a copy is the same byte for byte."""

import hashlib
from pathlib import Path

from contract import files

NOTED = ".sha256-"


def of_folder(folder: str | Path) -> str:
    """Returns the SHA-256 over the relative paths and contents of all files below `folder`."""
    folder = Path(folder)
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        total.update(
            f"{path.relative_to(folder).as_posix()}\0{files.sha256(path)}\n".encode(
                "utf-8", "surrogateescape"
            )
        )
    return total.hexdigest()


def _note(folder: Path) -> Path:
    return folder.with_name(f"{NOTED}{folder.name}")


def note(folder: Path, noted: str) -> None:
    """Notes the digest of a folder beside it, whole or not at all."""
    files.write(_note(folder), noted)


def forget(folder: Path) -> None:
    """Takes the note away: the folder is about to change."""
    _note(folder).unlink(missing_ok=True)


def is_as_noted(folder: Path) -> bool:
    """Returns whether a folder is there, with what was noted of it; where nothing was, that it is there must do."""
    path = _note(folder)
    return folder.is_dir() and (not path.is_file() or path.read_text() == of_folder(folder))
