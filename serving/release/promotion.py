"""Makes a version live: for a person, or for a run, which may not overrule a person."""

from serving.errors import AliasMovedError, PromotionRefusedError, RegistryError
from serving.registry import history
from serving.registry.registry import Registry
from serving.release import reconciliation
from serving.release.models_config import ServedModel
from serving.release.target import ReleaseTarget


def promote(target: ReleaseTarget, model: str, version: int, by: str = history.UNKNOWN) -> ServedModel:
    """Makes `version` the champion, for a person, and serves it behind `stable`; on failure all is as before.

    Args:
        target: Where it is to be live.
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
    target.registry.version(model, version)
    with target.exclusive(model) as roles:
        target.transition(model).to(version, roles, by, by_itself=False)
        return target.server.served(model)


def rollback(target: ReleaseTarget, model: str, by: str = history.UNKNOWN) -> ServedModel:
    """Promotes the previous champion, for a person.

    Raises:
        RegistryError: If there is no previous champion.
    """
    if not target.registry.versions(model):
        raise RegistryError(_nothing_to_go_back_to(model))
    with target.exclusive(model) as roles:
        if roles.previous_champion is None:
            raise RegistryError(_nothing_to_go_back_to(model))
        target.transition(model).to(roles.previous_champion, roles, by, by_itself=False)
        return target.server.served(model)


def challenge(target: ReleaseTarget, model: str, version: int) -> bool:
    """Makes `version` the challenger, for a run, and serves it behind `canary`.

    Returns:
        Whether the version is live already; nothing is changed then.

    Raises:
        PromotionRefusedError: If a person rolled it back or rejected it, and nobody has promoted it since.
        RegistryError: If its files are not those that were registered.
        ReleaseError: If it cannot be served.
        ServerUnavailableError: If the model server does not answer.
    """
    with target.exclusive(model) as roles:
        roles = reconciliation.catch_up(target.transition(model), roles)
        if roles.champion == version:
            return True
        _check_not_held(target.registry, model, version)
        target.registry.set_challenger(model, version)
        target.transition(model).serve_canary(version)
        return False


def promote_judged(
    target: ReleaseTarget,
    model: str,
    version: int,
    *,
    judged_against: int | None,
    by: str,
    approved: bool = False,
) -> ServedModel:
    """Makes `version` the champion, for a run: only where what it was judged against is still what is live.

    Args:
        target: Where it is to be live.
        model: Name.
        version: Its number.
        judged_against: The version that was live when it was judged; `None` for none.
        by: Which run wants it, or who approved it.
        approved: Whether a person did, which counts more than an earlier rejection.

    Raises:
        PromotionRefusedError: If a person took the version away, another version is live by now, or the live one
            is of newer data.
        RegistryError: If its files are not those that were registered.
        ReleaseError: If it cannot be served.
        ServerUnavailableError: If the model server does not answer.
    """
    with target.exclusive(model) as roles:
        roles = reconciliation.catch_up(target.transition(model), roles)
        if roles.champion != version:
            if not approved:
                _check_not_held(target.registry, model, version)
                _check_not_older(target.registry, model, version)
            _check_still_live(model, version, target.registry.live(model), judged_against)
        try:
            target.transition(model).to(version, roles, by, by_itself=True)
        except AliasMovedError as moved:
            raise PromotionRefusedError(str(moved)) from moved
        return target.server.served(model)


def _check_not_held(registry: Registry, model: str, version: int) -> None:
    if reason := history.held(registry.version(model, version).tags, model, version):
        raise PromotionRefusedError(reason)


def _check_not_older(registry: Registry, model: str, version: int) -> None:
    """Makes sure that what a backfill makes of an earlier night does not replace what was learned since."""
    live = registry.live(model)
    if live is None:
        return
    newest, in_use = (
        registry.version(model, each).tags.get(history.NEWEST_SPAN, "") for each in (version, live)
    )
    if newest and newest < in_use:
        raise PromotionRefusedError(
            f"{model} version {version} is of data up to {newest}, and version {live}, which is live, of data up to "
            f"{in_use}; make it live all the same with `slipway promote {model} {version}`"
        )


def _check_still_live(model: str, version: int, live: int | None, judged_against: int | None) -> None:
    if live not in (version, judged_against):
        judged, now = (f"version {each}" if each else "nothing" for each in (judged_against, live))
        raise PromotionRefusedError(
            f"{model} version {version} was judged against {judged}, and {now} is live now; start a new run, or "
            f"make it live with `slipway promote {model} {version}`"
        )


def _nothing_to_go_back_to(model: str) -> str:
    return (
        f"Expected a previous champion of {model} to go back to, and there is none. "
        f"Choose a version with `slipway promote {model} VERSION`."
    )
