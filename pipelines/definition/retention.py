"""How long what the runs of a pipeline leave behind is kept."""

from pydantic import Field

from components.settings import Section


class RetentionSettings(Section):
    """Which runs keep all that they made and used; either setting can keep one.

    Of the others nothing stays but what a version, an alias or a run that is kept refers to. Null in either keeps
    everything for ever.
    """

    days: float | None = Field(28, ge=1)
    """Days since anything of it was written that a run is kept."""

    runs: int | None = Field(14, ge=1)
    """How many of the newest runs are kept, however old they are."""

    @property
    def for_ever(self) -> bool:
        """Whether nothing is removed."""
        return self.days is None or self.runs is None
