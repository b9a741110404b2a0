"""Decides what is to be live, and makes it so: for a person, for a run, and for whoever moved an alias.

Everything is decided under the lock of the model, from what is read under it. Models have locks of their own: one
never holds up another.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from serving.client import Client
from serving.errors import (
    AliasMovedError,
    AliasPutBackError,
    PromotionRefusedError,
    RegistryError,
    ReleaseError,
    ServerUnavailableError,
)
from serving.registry import history
from serving.registry.registry import Registry
from serving.registry.version import Roles
from serving.release.chosen import Chosen
from serving.release.fleet import LOCK_FILE, Fleet, locked
from serving.release.models_config import ServedModel
from serving.release.transition import Transition

logger = logging.getLogger(__name__)

PROBLEMS = (RegistryError, ReleaseError, ServerUnavailableError)


def _unwatched(step: str) -> None:
    """Nobody watches."""


@dataclass(frozen=True)
class Release:
    """Where to read what is wanted, and where to make it so.

    Attributes:
        registry: What is wanted.
        client: Connection to the model server.
        models_dir: Holds `<model>/<version>/` and `models.config`.
        load_timeout_s: How long a version may take to become AVAILABLE, in seconds.
        step: Called with the name of each step of a release when it is done.
    """

    registry: Registry
    client: Client
    models_dir: Path
    load_timeout_s: float = 120.0
    step: Callable[[str], None] = _unwatched

    @property
    def fleet(self) -> Fleet:
        """What the model server serves."""
        return Fleet(self.client, self.models_dir, self.load_timeout_s)

    def promote(self, model: str, version: int, by: str = history.UNKNOWN) -> ServedModel:
        """Makes `version` the champion, for a person, and serves it behind `stable`; on failure all is as before.

        Args:
            model: Name.
            version: Its number.
            by: Who wants it; shown in the registry.

        Returns:
            What is served now; `stable` has answered with `version`.

        Raises:
            RegistryError: If there is no such version, or its files are not those that were registered.
            ReleaseError: If it cannot be served.
            ServerUnavailableError: If the model server does not answer.
        """
        self.registry.version(model, version)
        with self._alone(model) as roles:
            self._transition(model).to(version, roles, by, by_itself=False)
            return self.fleet.served(model)

    def rollback(self, model: str, by: str = history.UNKNOWN) -> ServedModel:
        """Promotes the previous champion, for a person.

        Raises:
            RegistryError: If there is no previous champion.
        """
        if not self.registry.versions(model):
            raise RegistryError(_nothing_to_go_back_to(model))
        with self._alone(model) as roles:
            if roles.previous_champion is None:
                raise RegistryError(_nothing_to_go_back_to(model))
            self._transition(model).to(roles.previous_champion, roles, by, by_itself=False)
            return self.fleet.served(model)

    def challenge(self, model: str, version: int) -> bool:
        """Makes `version` the challenger, for a run, and serves it behind `canary`.

        Returns:
            Whether the version is live already; nothing is changed then.

        Raises:
            PromotionRefusedError: If a person rolled it back or rejected it, and nobody has promoted it since.
            RegistryError: If its files are not those that were registered.
            ReleaseError: If it cannot be served.
            ServerUnavailableError: If the model server does not answer.
        """
        with self._alone(model) as roles:
            roles = self._chosen(model).before_a_run(roles)
            if roles.champion == version:
                return True
            self._check_not_held(model, version)
            self.registry.set_challenger(model, version)
            self._transition(model).serve_canary(version)
            return False

    def promote_judged(
        self, model: str, version: int, *, judged_against: int | None, by: str, approved: bool = False
    ) -> ServedModel:
        """Makes `version` the champion, for a run: only where what it was judged against is still what is live.

        Args:
            model: Name.
            version: Its number.
            judged_against: The version that was live when it was judged; `None` for none.
            by: Which run wants it, or who approved it.
            approved: Whether a person did, which counts more than an earlier rejection.

        Raises:
            PromotionRefusedError: If a person took the version away, or another version is live by now.
            RegistryError: If its files are not those that were registered.
            ReleaseError: If it cannot be served.
            ServerUnavailableError: If the model server does not answer.
        """
        with self._alone(model) as roles:
            roles = self._chosen(model).before_a_run(roles)
            if roles.champion != version:
                if not approved:
                    self._check_not_held(model, version)
                _check_still_live(model, version, self.registry.live(model), judged_against)
            try:
                self._transition(model).to(version, roles, by, by_itself=True)
            except AliasMovedError as moved:
                raise PromotionRefusedError(str(moved)) from moved
            return self.fleet.served(model)

    def reconcile(self, model: str, by: str = history.UNKNOWN) -> ServedModel:
        """Serves what the registry wants of one model: its champion, its challenger, its previous champion.

        Where somebody moved the alias `champion`, this is the release of that version. If it cannot be served, the
        alias goes back and the version is tagged with the reason. Without a champion nothing is unloaded. A challenger
        that cannot be served is left out, and the version says why.

        Raises:
            RegistryError: If the champion's files are not those that were registered.
            ReleaseError: If the champion cannot be served; what was served before still is.
            ServerUnavailableError: If the model server does not answer.
        """
        with self._alone(model) as roles:
            roles = self._chosen(model).settle(roles, by)
            if roles.challenger is not None:
                try:
                    self._transition(model).serve_canary(roles.challenger)
                except (RegistryError, ReleaseError) as error:
                    logger.warning("The challenger of %s is not served: %s", model, error)
            return self.fleet.served(model)

    def reconcile_all(self, models: Sequence[str] = (), by: str = history.UNKNOWN) -> dict[str, ServedModel]:
        """Reconciles several models, all of Slipway's where none is named; one never holds up another.

        Raises:
            ReleaseError: After all of them were tried; names each model that failed, and why.
            AliasPutBackError: The same, where an alias was put back: trying again would find nothing to do.
        """
        done, problems = {}, {}
        known = self.registry.models()
        for model in models or known:
            try:
                if model not in known:
                    raise RegistryError(_unknown(model, known))
                done[model] = self.reconcile(model, by)
            except Exception as error:
                if not isinstance(error, PROBLEMS):
                    logger.exception("Reconciling %s failed in a way that it should not.", model)
                problems[model] = error
        if problems:
            put_back = any(isinstance(error, AliasPutBackError) for error in problems.values())
            kind = AliasPutBackError if put_back else ReleaseError
            raise kind("\n".join(f"{model}: {error}" for model, error in problems.items()))
        return done

    @contextmanager
    def _alone(self, model: str) -> Iterator[Roles]:
        """Works on one model at a time, after an interrupted release has been finished or put back."""
        with locked(self.models_dir / model / LOCK_FILE):
            self._transition(model).recover()
            yield self.registry.roles(model)

    def _transition(self, model: str) -> Transition:
        return Transition(model, self.registry, self.fleet, self.step)

    def _chosen(self, model: str) -> Chosen:
        return Chosen(self._transition(model))

    def _check_not_held(self, model: str, version: int) -> None:
        if reason := history.held(self.registry.version(model, version).tags, model, version):
            raise PromotionRefusedError(reason)


def _check_still_live(model: str, version: int, live: int | None, judged_against: int | None) -> None:
    if live not in (version, judged_against):
        judged, now = (f"version {each}" if each else "nothing" for each in (judged_against, live))
        raise PromotionRefusedError(
            f"{model} version {version} was judged against {judged}, and {now} is live now; start a new run, or "
            f"make it live with `slipway promote {model} {version}`"
        )


def _unknown(model: str, known: Sequence[str]) -> str:
    return (
        f"Expected a model that Slipway registered, got {model!r}. Registered: {', '.join(known) or 'none yet'}. "
        "Run its pipeline first, or choose one of these."
    )


def _nothing_to_go_back_to(model: str) -> str:
    return (
        f"Expected a previous champion of {model} to go back to, and there is none. "
        f"Choose a version with `slipway promote {model} VERSION`."
    )
