"""Takes versions away that have no role any more, and keeps the one at hand that a rollback goes back to."""

import logging
from pathlib import Path

from serving.errors import RegistryError
from serving.registry.registry import Registry
from serving.release import staging
from serving.release.model_server import ModelServer
from serving.release.models_config import ServedModel

logger = logging.getLogger(__name__)


def retire(model: str, registry: Registry, server: ModelServer) -> None:
    """Unloads and removes versions of a model that no label and no role refers to; the caller holds its lock.

    Args:
        model: Name.
        registry: Of the roles, and of the files.
        server: The model server.
    """
    folder, served = server.models_dir / model, server.served(model)
    previous = registry.roles(model).previous_champion
    kept = set(served.labels.values())
    if previous is not None and (previous in kept or _is_at_hand(model, previous, registry, server)):
        kept.add(previous)
    server.apply(model, ServedModel(frozenset(kept), served.labels))
    for version in sorted(staging.present(folder) - kept):
        staging.remove(folder, version)
        logger.info("Removed %s version %d: nothing refers to it.", model, version)
    staging.sweep(folder)


def _is_at_hand(model: str, version: int, registry: Registry, server: ModelServer) -> bool:
    """Makes sure that the registered files of a version are on disk; says why where they cannot be."""
    folder: Path = server.models_dir / model
    try:
        if not staging.is_registered(registry, model, version, folder):
            staged = staging.fetch(registry, model, version, folder)
            if server.holds(model, version):
                server.unload(model, version, server.served(model))
            staging.place(staged, version)
    except RegistryError as error:
        logger.warning("The previous champion of %s is not at hand: %s", model, error)
        return False
    return True
