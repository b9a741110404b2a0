"""Brings version directories into place, whole or not at all, and takes unneeded ones away.

What lies on disk is trusted only after its digest was compared with the registry's. All names but those of
complete versions are no numbers, so the model server does not see them. `folder` is that of one model.
"""

import os
import shutil
from pathlib import Path

from serving import digest
from serving.registry.registry import Registry

STAGED = ".staging-"
REPLACED = ".replaced-"
REMOVED = ".removed-"


def _sync(folder: Path) -> None:
    """Flushes files and directories, so that a rename never survives a crash without them."""
    for path in (*folder.rglob("*"), folder):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def is_registered(registry: Registry, model: str, version: int, folder: Path) -> bool:
    """Returns whether the directory of a version holds the very files that were registered as that version.

    Raises:
        RegistryError: If there is no such version.
    """
    target = folder / str(version)
    expected = registry.digest(model, version)
    if not target.is_dir() or digest.of_folder(target) != expected:
        return False
    digest.note(target, expected)
    return True


def fetch(registry: Registry, model: str, version: int, folder: Path) -> Path:
    """Fetches the files of a version to a folder beside its place; returns the folder, verified and flushed.

    Raises:
        RegistryError: If the version does not exist or its files are not those that were registered.
    """
    staged = folder / f"{STAGED}{version}"
    draft = staged.with_name(f"{staged.name}.draft")
    for left in (staged, draft):
        shutil.rmtree(left, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        fetched = registry.download(model, version, draft)
        _sync(fetched)
        fetched.rename(staged)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return staged


def place(staged: Path, version: int) -> None:
    """Renames fetched files into their place; what lay there is put aside. The server must have let go of it."""
    target, aside = staged.with_name(str(version)), staged.with_name(f"{REPLACED}{version}")
    digest.forget(target)
    if target.is_dir():
        shutil.rmtree(aside, ignore_errors=True)
        target.rename(aside)
    staged.rename(target)
    digest.note(target, digest.of_folder(target))


def replaced(folder: Path) -> set[int]:
    """Returns the versions whose former files were put aside."""
    found = folder.glob(f"{REPLACED}*")
    return {int(path.name.removeprefix(REPLACED)) for path in found}


def restore(folder: Path, version: int) -> None:
    """Undoes `place` for a version whose former files were put aside. The server must have let go of it."""
    remove(folder, version)
    aside = folder / f"{REPLACED}{version}"
    aside.rename(aside.with_name(str(version)))


def present(folder: Path) -> set[int]:
    """Returns the version numbers on disk."""
    if not folder.is_dir():
        return set()
    return {int(path.name) for path in folder.iterdir() if path.name.isdecimal()}


def remove(folder: Path, version: int) -> None:
    """Deletes a version directory, if it is there; it is renamed first, so the server never sees half of one."""
    target = folder / str(version)
    doomed = folder / f"{REMOVED}{version}"
    shutil.rmtree(doomed, ignore_errors=True)
    digest.forget(target)
    if target.is_dir():
        target.rename(doomed)
        shutil.rmtree(doomed)


def sweep(folder: Path) -> None:
    """Deletes what an interrupted release may have left beside the versions."""
    for prefix in (STAGED, REPLACED, REMOVED):
        for path in folder.glob(f"{prefix}*"):
            shutil.rmtree(path, ignore_errors=True)
