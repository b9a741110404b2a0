"""Makes the model server serve what the registry wants, or says why not and puts everything back.

registry's aliases -> missing versions staged -> configuration with them, labels as they were -> AVAILABLE
-> smoke request -> configuration with the labels moved -> verified -> older versions retired
"""

import fcntl
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from google.protobuf import text_format

from serving import models_config, smoke, staging
from serving.client import Client
from serving.errors import RegistryError, ReleaseError
from serving.models_config import CANARY, STABLE, Fleet, ServedModel
from serving.registry import Registry, Wanted

logger = logging.getLogger(__name__)

CONFIG_FILE = "models.config"
POLL_S = 0.1


@dataclass(frozen=True)
class Release:
    """Where to read what is wanted, and where to make it so.

    Attributes:
        registry: What is wanted.
        client: Connection to the model server.
        models_dir: Holds `<model>/<version>/` and `models.config`.
        load_timeout_s: How long a version may take to become AVAILABLE, in seconds.
    """

    registry: Registry
    client: Client
    models_dir: Path
    load_timeout_s: float = field(default=120.0)

    @property
    def config_path(self) -> Path:
        """The model server's configuration file."""
        return self.models_dir / CONFIG_FILE

    def reconcile(self) -> dict[str, ServedModel]:
        """Makes the server serve champion, challenger and previous champion of every model.

        Idempotent; a second caller waits for the first.

        Returns:
            What is served now, by model.

        Raises:
            ReleaseError: If a version cannot be served; what was served before still is.
            RegistryError: If a wanted version's files are not those that were registered.
            ServerUnavailableError: If the model server does not answer.
        """
        with self._alone():
            before = self._current()
            wanted = {model: self.registry.wanted(model) for model in self.registry.models()}
            goal = {model: self._goal(roles, before.get(model)) for model, roles in wanted.items()}
            goal = {model: served for model, served in goal.items() if served.versions}
            fetched: list[tuple[str, int]] = []
            try:
                self._stage(goal, fetched)
                self._move(before, goal)
            except Exception:
                self._put_back(before, fetched)
                raise
            self._remember(before, goal)
            self._retire(goal)
            return goal

    def promote(self, model: str, version: int) -> dict[str, ServedModel]:
        """Makes `version` the champion and serves it behind `stable`; on failure the old champion stays.

        Raises:
            RegistryError: If there is no such version.
            ReleaseError: If it cannot be served.
            ServerUnavailableError: If the model server does not answer.
        """
        self.registry.version(model, version)
        roles = self.registry.wanted(model)
        self.registry.set_champion(model, version)
        if roles.challenger == version:
            self.registry.set_challenger(model, None)
        try:
            return self.reconcile()
        except Exception:
            self.registry.set_champion(model, roles.champion)
            self.registry.set_challenger(model, roles.challenger)
            raise

    def rollback(self, model: str) -> dict[str, ServedModel]:
        """Promotes the previous champion.

        Raises:
            RegistryError: If there is no previous champion.
        """
        previous = self.registry.wanted(model).previous_champion if model in self.registry.models() else None
        if previous is None:
            raise RegistryError(
                f"Expected a previous champion of {model} to go back to, and there is none. "
                f"Choose a version with `slipway promote {model} VERSION`."
            )
        return self.promote(model, previous)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self.models_dir.mkdir(parents=True, exist_ok=True)
        with (self.models_dir / ".release.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _current(self) -> dict[str, ServedModel]:
        try:
            return models_config.read(self.config_path)
        except text_format.ParseError as error:
            raise ReleaseError(
                f"Expected a model server configuration in {self.config_path}, got text that does not parse: "
                f"{error}. Move the file away; it is written anew from the registry."
            ) from error

    @staticmethod
    def _goal(roles: Wanted, before: ServedModel | None) -> ServedModel:
        labels = {STABLE: roles.champion, CANARY: roles.challenger}
        versions = set(roles.versions())
        replaced = before.labels.get(STABLE) if before else None
        if replaced is not None and replaced != roles.champion:
            # The alias was moved by hand: what it pointed to becomes the version to go back to.
            versions.add(replaced)
            versions -= {roles.previous_champion} - {roles.champion, roles.challenger, replaced, None}
        return ServedModel(
            frozenset(versions), {label: version for label, version in labels.items() if version is not None}
        )

    def _stage(self, goal: Fleet, fetched: list[tuple[str, int]]) -> None:
        for model, served in goal.items():
            for version in sorted(served.versions):
                if staging.stage(self.registry, model, version, self.models_dir):
                    logger.info("staged %s version %d", model, version)
                    fetched.append((model, version))

    def _apply(self, fleet: Fleet) -> None:
        models_config.write(fleet, self.config_path, self.models_dir)
        self.client.reload(models_config.to_proto(fleet, self.models_dir))

    def _move(self, before: Fleet, goal: Fleet) -> None:
        """Loads what is new beside what is served, tries it, then moves the labels."""
        both = {
            model: ServedModel(
                served.versions | (before[model].versions if model in before else frozenset()),
                before[model].labels if model in before else {},
            )
            for model, served in goal.items()
        }
        self._apply(both)
        for model, served in goal.items():
            for version in sorted(served.versions):
                self._wait_available(model, version)
                smoke.check(self.client, model, version, self.models_dir)
        self._apply({model: ServedModel(both[model].versions, goal[model].labels) for model in goal})
        for model, served in goal.items():
            for label, version in served.labels.items():
                smoke.check_label(self.client, model, label, version, self.models_dir)

    def _wait_available(self, model: str, version: int) -> None:
        def settled() -> bool:
            found = self.client.versions(model).get(version)
            if found is not None and found.state == "END" and found.error:
                raise ReleaseError(
                    f"The model server cannot load {model} version {version}: {found.error}. "
                    "What was served before still is."
                )
            return found is not None and found.state == "AVAILABLE"

        wait_until(settled, self.load_timeout_s, f"{model} version {version} to become AVAILABLE")

    def _put_back(self, before: Fleet, fetched: list[tuple[str, int]]) -> None:
        models_config.write(before, self.config_path, self.models_dir)
        try:
            self.client.reload(models_config.to_proto(before, self.models_dir))
        except Exception as error:
            logger.warning("The server did not take its former configuration back: %s", error)
        for model, version in fetched:
            staging.remove(model, version, self.models_dir)

    def _remember(self, before: Fleet, goal: Fleet) -> None:
        for model, served in goal.items():
            replaced = before[model].labels.get(STABLE) if model in before else None
            if replaced is not None and replaced != served.labels.get(STABLE):
                self.registry.remember_previous_champion(model, replaced)

    def _retire(self, goal: Fleet) -> None:
        self._apply(goal)
        for model, served in goal.items():
            for version in sorted(staging.present(model, self.models_dir) - served.versions):
                staging.remove(model, version, self.models_dir)
                logger.info("removed %s version %d: no alias refers to it", model, version)


def wait_until(condition: Callable[[], bool], timeout_s: float, what: str) -> None:
    """Polls until `condition` holds.

    Raises:
        ReleaseError: If it does not within `timeout_s` seconds.
    """
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise ReleaseError(
                f"Waited {timeout_s:.0f} s for {what}, in vain. Look into the model server's log."
            )
        time.sleep(POLL_S)
