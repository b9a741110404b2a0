"""One digest for a folder of files, to tell whether a copy is the same byte for byte."""

import hashlib
from pathlib import Path


def of_file(path: Path) -> str:
    """Returns the SHA-256 of a file, in hexadecimal."""
    total = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            total.update(block)
    return total.hexdigest()


def of_folder(folder: str | Path) -> str:
    """Returns the SHA-256 over the relative paths and contents of all files below `folder`."""
    folder = Path(folder)
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        total.update(f"{path.relative_to(folder).as_posix()}\0{of_file(path)}\n".encode())
    return total.hexdigest()
