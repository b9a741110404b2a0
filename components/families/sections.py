"""Sections of the configuration that every family extends by what is particular to its records."""

import hashlib
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from components.settings import Section

SLACK = 1e-9  # shares such as 0.1 have no exact binary form


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
    """How many augmented copies the train split gets, and where. Evaluation data is never touched.

    What a family adds is its policy: what is done to a record.
    """

    mode: Literal["materialized", "online"] = "materialized"
    """materialized: copies are made once and stored. online: copies are stored as they are, and training changes every
    record, originals too, anew in each epoch."""

    factor: int = Field(3, ge=1, le=50, title="Augmentation factor")
    """Size of the train split as a multiple; 1 adds none."""

    seed: int = Field(17, ge=0)
    """The same seed and data give the same copies; `online` takes the seed of the training."""

    mixup_alpha: float = Field(0.0, ge=0, le=10)
    """Mixes pairs of records and their labels (Zhang et al., 2017, arXiv:1710.09412), with a share drawn from
    Beta(alpha, alpha): near 0 one of both prevails, at 1 every share is as likely. `online` alone, where labels may be
    soft. 0: none."""

    balance: dict[str, Annotated[float, Field(gt=0, lt=1)]] = Field(default_factory=dict)
    """By label, its share of the enlarged train split; labels that are not named divide the rest among them as before.
    Empty: every record gets as many copies as any other."""

    @property
    def policy_version(self) -> str:
        """Digest of what is done to a record, not of where and how often: the same for the same policy."""
        policy = self.model_dump_json(exclude={"mode", "factor", "seed", "balance"})
        return hashlib.sha256(policy.encode()).hexdigest()[:12]

    @field_validator("balance")
    @classmethod
    def _at_most_the_whole(cls, balance: dict[str, float]) -> dict[str, float]:
        if (total := sum(balance.values())) > 1 + SLACK:
            raise ValueError(f"expected shares that add up to 1 at most, got {total:g}")
        return balance

    @model_validator(mode="after")
    def _labels_are_soft_in_training_alone(self) -> "AugmentationSettings":
        if self.mixup_alpha and self.mode != "online":
            raise ValueError(
                f"expected mode online for a mixup_alpha of {self.mixup_alpha:g}, got {self.mode}: a stored record has "
                "one label"
            )
        return self
