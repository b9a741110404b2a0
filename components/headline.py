"""What a headline metric is: one line of the table that runs and models are compared by."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """A number worth showing.

    Attributes:
        name: Of the metric on the MLflow run of the whole pipeline run.
        title: As a person would call it.
        node: Which measures it.
        metric: What that node calls it.
        form: How it is written, with its unit: a format string such as `{:.1f} ms`.
    """

    name: str
    title: str
    node: str
    metric: str
    form: str

    @property
    def key(self) -> str:
        """Where a run's summary has it: `<node>.<metric>`."""
        return f"{self.node}.{self.metric}"
