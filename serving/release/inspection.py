"""Compares what the registry says with what the server answers and what lies on disk. Changes nothing."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from serving import digest
from serving.client import Client
from serving.errors import RegistryError, ReleaseError, ServerUnavailableError
from serving.registry.listing import ListedModel, Listing
from serving.release import journal, model_server, models_config
from serving.release.models_config import STABLE

REMEDY = "`slipway reconcile`"


@dataclass(frozen=True)
class ModelState:
    """How one model is served.

    Attributes:
        model: Name.
        champion: The version that should be live; `None` where the registry has none.
        answers: The version behind `stable`; `None` where none answers.
        problem: What is not as it should be, and what to do; empty where all is well.
    """

    model: str
    champion: int | None
    answers: int | None
    problem: str


def inspect(listing: Listing, client: Client, models_dir: Path) -> list[ModelState]:
    """Returns the state of every model that Slipway has registered, or that its model server is configured for."""
    try:
        registered = {each.name: each for each in listing.models() if each.is_ours}
        unread = ""
    except (RegistryError, ServerUnavailableError) as error:
        registered, unread = {}, f"the registry cannot be read: {error}"
    try:
        configured = models_config.read(models_dir / models_config.FILE).model_config_list.config
    except ReleaseError as error:
        return [ModelState(models_config.FILE, None, None, str(error))]
    ours = {entry.name for entry in configured if models_config.is_ours(entry, models_dir)}
    return [
        _state(name, registered.get(name), unread, client, models_dir)
        for name in sorted(ours | set(registered))
    ]


def _state(
    name: str, registered: ListedModel | None, unread: str, client: Client, models_dir: Path
) -> ModelState:
    champion = registered.aliases.get("champion") if registered else None
    try:
        answers, silent = client.labelled(name, STABLE), ""
    except (ReleaseError, ServerUnavailableError) as error:
        answers, silent = None, str(error)
    if unread:
        problem = unread
    elif registered is None:
        problem = (
            f"version {answers} is served, and not registered; the next run registers anew" if answers else ""
        )
    else:
        problem = "; ".join(_problems(registered, champion, answers, models_dir / name))
    return ModelState(name, champion, answers, silent or problem)


def _interrupted(folder: Path) -> Iterator[str]:
    try:
        if journal.read(folder) and not model_server.is_locked(folder / model_server.LOCK_FILE):
            yield f"a release was interrupted: {REMEDY}"
    except ReleaseError as error:
        yield str(error)


def _problems(
    registered: ListedModel, champion: int | None, answers: int | None, folder: Path
) -> Iterator[str]:
    yield from _interrupted(folder)
    if champion is None:
        if answers is not None:
            yield f"version {answers} is served, and the registry has no champion"
        return
    known = {each.number: each.tags for each in registered.versions}
    path = folder / str(champion)
    if not path.is_dir():
        yield f"the files of version {champion} are missing from {folder}: {REMEDY}"
    elif digest.of_folder(path) != known[champion].get("slipway.saved_model_sha256"):
        yield f"the files in {path} are not those that were registered: {REMEDY}"
    if answers != champion:
        yield f"version {champion} is champion, and {f'version {answers}' if answers else 'nothing'} answers: {REMEDY}"
