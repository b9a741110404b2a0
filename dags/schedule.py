"""When a pipeline runs next."""

from datetime import datetime

from airflow.sdk.timezone import coerce_datetime
from airflow.timetables.base import DataInterval, TimeRestriction
from airflow.timetables.trigger import CronTriggerTimetable


def next_slot(schedule: str, timezone: str, after: datetime) -> datetime:
    """The first slot of a schedule after a moment, as Airflow's scheduler computes it.

    Args:
        schedule: Cron expression.
        timezone: Name such as Europe/Berlin; slots keep the time of day when clocks change.
        after: A moment with a time zone.
    """
    now = DataInterval.exact(coerce_datetime(after))
    slot = CronTriggerTimetable(schedule, timezone=timezone).next_dagrun_info(
        last_automated_data_interval=now, restriction=TimeRestriction(None, None, catchup=True)
    )
    return slot.run_after  # type: ignore[union-attr]  # a schedule without an end has a next slot
