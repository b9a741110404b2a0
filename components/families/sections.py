"""Sections of the configuration that every family extends by what is particular to its records."""

from typing import Literal

from pydantic import Field

from components.settings import Section


class SpanSettings(Section):
    """Data that arrives day by day: a folder for each, called a span. See `contract/inbox.py`."""

    inbox: str = ""
    """Folder of the spans; `inbox/<name>` in the state folder if left out."""

    newest: int | None = Field(None, ge=1)
    """How many spans a run learns from, the newest ones; null for all."""

    complete: Literal["settled", "marker"] = "settled"
    """settled: a span counts once nothing in it has changed for `settle_s`. marker: once it holds `_COMPLETE`."""

    settle_s: float = Field(600, ge=0)
    """Seconds."""

    max_age_days: int | None = Field(None, ge=0)
    """Days from the newest span to a run, above which the run fails; null for any."""

    starts_runs: bool = False
    """Whether a span that has become complete starts a run, besides the schedule."""


class DataSettings(Section):
    """Where the records come from, how they are split, and when ingestion gives up."""

    source: str
    """One of the family's sources."""

    path: str = ""
    """File or folder that the source reads; empty for one that brings its data along. With `spans`, inside of each."""

    spans: SpanSettings | None = None
    """Data that arrives day by day; null for a source that is all there is."""

    eval_fraction: float = Field(0.1, gt=0, lt=0.5)
    """Share of the records in the split `eval`."""

    test_fraction: float = Field(0.1, gt=0, lt=0.5)
    """Share of the records in the split `test`."""

    max_quarantined_fraction: float = Field(0.01, ge=0, lt=1)
    """Share of unusable records above which ingestion fails."""


class ValidationSettings(Section):
    """Expectations on any records, and on drift."""

    min_records_per_split: int = Field(20, ge=1)
    """Fewest records in each of train, eval and test."""

    max_duplicate_fraction: float = Field(0.01, ge=0, le=1)
    """Share of records that have the very content of another record."""

    max_label_drift: float = Field(0.1, gt=0, le=1)
    """Largest Jensen-Shannon divergence of the labels from the last accepted data (0: equal, 1: disjoint)."""


class AugmentationSettings(Section):
    """How many augmented copies the train split gets. Evaluation data is never touched."""

    factor: int = Field(3, ge=1, le=50, title="Augmentation factor")
    """Size of the train split as a multiple; 1 adds none."""

    seed: int = Field(17, ge=0)
    """The same seed and data give the same copies."""
