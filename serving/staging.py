"""Brings version directories into place, whole or not at all, and takes unneeded ones away."""

import os
import shutil
from pathlib import Path

from serving.registry import Registry

STAGING_PREFIX = ".staging-"  # not a number, so the model server does not see it


def _sync(folder: Path) -> None:
    """Flushes files and directories, so that the rename below never survives a crash without them."""
    for path in (*folder.rglob("*"), folder):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def stage(registry: Registry, model: str, version: int, models_dir: Path) -> bool:
    """Puts a version into `<models_dir>/<model>/<version>`; returns whether it had to be fetched.

    Raises:
        RegistryError: If the version does not exist or its files are not those that were registered.
    """
    target = models_dir / model / str(version)
    if target.is_dir():
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = target.parent / f"{STAGING_PREFIX}{version}"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir()
    try:
        fetched = registry.download(model, version, staging)
        _sync(fetched)
        fetched.rename(target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return True


def present(model: str, models_dir: Path) -> set[int]:
    """Returns the version numbers on disk."""
    folder = models_dir / model
    if not folder.is_dir():
        return set()
    return {int(path.name) for path in folder.iterdir() if path.name.isdecimal()}


def remove(model: str, version: int, models_dir: Path) -> None:
    """Deletes a version directory; it is renamed first, so the server never sees half of one."""
    target = models_dir / model / str(version)
    doomed = target.parent / f"{STAGING_PREFIX}removed-{version}"
    shutil.rmtree(doomed, ignore_errors=True)
    target.rename(doomed)
    shutil.rmtree(doomed)
