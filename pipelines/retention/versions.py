"""What the versions of a model refer to: the runs that they come from, and the models that runs are compared with."""

from dataclasses import dataclass

from pipelines.runs.baseline import COMPARED_WITH
from pipelines.tracking.tracker import RUN_ID
from serving.registry.registry import DIGEST_TAG, Registry


@dataclass(frozen=True)
class Versions:
    """The versions of one model.

    Attributes:
        runs: Id of the run that each comes from.
        in_role: Those among them whose version has an alias, is live, or is what a rollback goes back to.
        models: SHA-256 of what the next run may be compared with.
    """

    runs: frozenset[str] = frozenset()
    in_role: frozenset[str] = frozenset()
    models: frozenset[str] = frozenset()


def of(registry: Registry, model: str) -> Versions:
    """Reads what the versions of a model refer to; nothing where it is not registered."""
    roles = registry.roles(model)
    tags = {int(found.version): found.tags for found in registry.versions(model)}
    wanted = {*registry.aliased(model), roles.live, roles.previous_champion}
    in_role = [found for number, found in tags.items() if number in wanted]
    before = {found.get(COMPARED_WITH) for found in in_role}
    compared = [found for number, found in tags.items() if str(number) in before]
    return Versions(
        frozenset(found[RUN_ID] for found in tags.values() if RUN_ID in found),
        frozenset(found[RUN_ID] for found in in_role if RUN_ID in found),
        frozenset(found[DIGEST_TAG] for found in [*in_role, *compared] if DIGEST_TAG in found),
    )
