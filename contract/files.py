"""Files that a reader sees whole or not at all: written under a temporary name, then put in place.

Standard library only. Whoever is killed on the way leaves a hidden file with a name of its own, which nobody takes
for anything.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write(path: Path, content: str | bytes, *, mode: int | None = None, durable: bool = False) -> None:
    """Writes a file, in the place of one that exists; makes its folder where that is missing.

    Args:
        path: Of the file.
        content: All of it; text is written as UTF-8.
        mode: Permissions, from the first byte on; those that the process gives to new files if left out.
        durable: Whether the contents must be on the disk before the name is: a loss of power then costs neither.
    """
    with _draft(path, content, mode, durable) as draft:
        draft.replace(path)


def write_once(path: Path, content: str | bytes, *, mode: int | None = None) -> None:
    """Writes a file that does not exist yet. Of several writers at once, one succeeds.

    Args:
        path: Of the file.
        content: All of it; text is written as UTF-8.
        mode: As for `write`.

    Raises:
        FileExistsError: If it exists; it stays as it is.
    """
    with _draft(path, content, mode, durable=False) as draft:
        os.link(draft, path)  # unlike a rename it fails where the name exists


def sha256(path: Path) -> str:
    """Returns the SHA-256 of a file, in hexadecimal digits."""
    total = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            total.update(block)
    return total.hexdigest()


@contextmanager
def _draft(path: Path, content: str | bytes, mode: int | None, durable: bool) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            if durable:
                file.flush()
                os.fsync(descriptor)
        yield draft
    finally:
        draft.unlink(missing_ok=True)
