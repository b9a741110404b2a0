"""Which runs are kept for what they are: new, going on, or waiting for somebody. Pure."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timezone

from pipelines.definition.config import PipelineConfig
from pipelines.definition.nodes import APPROVE, resources

DAY_S = 24 * 3600
GIVEN_UP_S = 14 * DAY_S  # a run that did not end, and of which nothing was heard for so long, is not going on


@dataclass(frozen=True)
class Run:
    """What is known of a run.

    Attributes:
        id: Of the run.
        active_at: When anything of it was written last, in seconds since the epoch.
        has_ended: Whether it was closed, and not prepared again since.
        is_collected: Whether retention has taken what it made.
    """

    id: str
    active_at: float
    has_ended: bool
    is_collected: bool


def kept(runs: Collection[Run], config: PipelineConfig, now: float) -> set[str]:
    """Returns the ids of the runs that keep all that they made and used.

    Args:
        runs: Of one pipeline.
        config: Of the pipeline.
        now: In seconds since the epoch.
    """
    settings = config.retention
    if settings.days is None or settings.runs is None:
        return {run.id for run in runs}
    whole = sorted((run for run in runs if not run.is_collected), key=lambda run: -run.active_at)
    newest = {run.id for run in whole[: settings.runs]}
    days_s = settings.days * DAY_S
    # One that waits for a person is heard of no more until the person answers.
    unended_s = max(days_s, GIVEN_UP_S, resources(config, APPROVE)["timeout_s"])
    return newest | {
        run.id for run in whole if now - run.active_at <= (days_s if run.has_ended else unended_s)
    }


def because(run: Run, config: PipelineConfig) -> str:
    """Returns why a run is not kept."""
    day = datetime.fromtimestamp(run.active_at, timezone.utc).date()
    said = f"retention.days: {config.retention.days:g}, retention.runs: {config.retention.runs}"
    return f"nothing of it was written since {day}, and newer ones are enough ({said})"
