"""Tells when the code on disk is no longer the code in memory."""

import hashlib
from pathlib import Path

from contract.environment import OUR_PACKAGES
from contract.state import PROJECT

SUFFIXES = (".py", ".yaml")
PACKAGES = PROJECT / ".venv" / "ml" / ".installed"  # rewritten by every installation


def fingerprint(project: Path = PROJECT) -> str:
    """Returns a digest over names, sizes and times of the source files, the configurations and the packages."""
    files = [
        path for folder in OUR_PACKAGES for path in (project / folder).rglob("*") if path.suffix in SUFFIXES
    ]
    total = hashlib.sha256()
    for path in sorted([*files, PACKAGES]):
        try:
            found = path.stat()
        except FileNotFoundError:
            continue  # deleted while we looked, or never there; either way its absence is part of the digest
        total.update(f"{path}\0{found.st_size}\0{found.st_mtime_ns}\n".encode())
    return total.hexdigest()
