"""Follows what somebody chose in the registry: the alias `champion`, moved by other means than Slipway's own."""

import logging
from dataclasses import dataclass

from serving.errors import AliasMovedError, AliasPutBackError
from serving.registry import history
from serving.registry.version import Roles
from serving.release import staging
from serving.release.models_config import STABLE
from serving.release.transition import Transition

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Chosen:
    """The champion that the registry names; the caller holds the lock of the model.

    Attributes:
        transition: To the version that was chosen.
    """

    transition: Transition

    def before_a_run(self, roles: Roles) -> Roles:
        """Releases the champion that somebody chose and that nobody has released yet; returns the roles then.

        Where it cannot be served, what is live stays so, and a run goes on from there.
        """
        if roles.champion is None or roles.champion == self._live(roles):
            return roles
        try:
            return self.settle(roles, history.UNKNOWN)
        except AliasPutBackError as error:
            logger.warning("%s", error)
            return self.transition.registry.roles(self.transition.model)

    def settle(self, roles: Roles, by: str) -> Roles:
        """Serves the champion; where somebody moves the alias on, or back, meanwhile, what it names then.

        Args:
            roles: As they are.
            by: Who chose it.

        Returns:
            The roles then.

        Raises:
            AliasPutBackError: If a version that somebody chose cannot be served; the alias is where it was before.
            RegistryError: If the files of what is live are not those that were registered.
            ReleaseError: If what is live cannot be served.
            ServerUnavailableError: If the model server does not answer; the alias stays for the next try.
        """
        followed = None
        while roles.champion is not None and roles.champion != followed:
            followed = roles.champion
            try:
                self._follow(roles.champion, roles, by)
            except AliasMovedError as moved:
                logger.warning("%s", moved)
                followed = None
            roles = self.transition.registry.roles(self.transition.model)
        return roles

    def _live(self, roles: Roles) -> int | None:
        return roles.live or self.transition.fleet.served(self.transition.model).labels.get(STABLE)

    def _follow(self, champion: int, roles: Roles, by: str) -> None:
        live = self._live(roles)
        self.transition.fleet.client.versions(
            self.transition.model
        )  # without a server nothing can be said of it
        try:
            self.transition.to(champion, roles, by, by_itself=champion == live)
        except AliasMovedError:
            raise
        except Exception as error:
            if champion == live:
                raise
            self._give_up(champion, live, roles, error)

    def _give_up(self, champion: int, live: int | None, roles: Roles, error: Exception) -> None:
        """Has the version say why it is not served, and moves the alias back where nobody has moved it on."""
        model, registry = self.transition.model, self.transition.registry
        moved_on = registry.roles(model).champion != champion
        back = live if live is not None and self._is_of_this_registry(live, roles) else None
        if not moved_on:
            registry.set_champion(model, back)
        registry.tag_version(model, champion, history.not_served(str(error)))
        if moved_on:
            raise AliasMovedError(f"{error} Somebody has moved the alias champion on.") from error
        now = f"is on version {back} again" if back else "was taken away again"
        raise AliasPutBackError(f"{error} The alias champion of {model} {now}.") from error

    def _is_of_this_registry(self, version: int, roles: Roles) -> bool:
        """Returns whether a version that is served is what the registry calls so, and not a former registry's."""
        model, registry = self.transition.model, self.transition.registry
        if version not in {int(each.version) for each in registry.versions(model)}:
            return False
        return roles.live == version or staging.is_registered(
            registry, model, version, self.transition.folder
        )
