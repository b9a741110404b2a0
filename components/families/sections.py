"""Sections of the configuration that every family extends by what is particular to its records."""

import difflib
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator, model_validator

from components.settings import Section


class DataSettings(Section):
    """Where the records come from, how they are split, and when ingestion gives up."""

    source: str
    """One of the family's sources."""

    path: str = ""
    """File or folder that the source reads; empty for one that brings its data along."""

    eval_fraction: float = Field(0.1, gt=0, lt=0.5)
    """Share of the records in the split `eval`."""

    test_fraction: float = Field(0.1, gt=0, lt=0.5)
    """Share of the records in the split `test`."""

    max_quarantined_fraction: float = Field(0.01, ge=0, lt=1)
    """Share of unusable records above which ingestion fails."""


@cache
def _expectation_types() -> tuple[str, ...]:
    """Returns the types that Great Expectations brings: a file each. Importing them would take seconds."""
    found = find_spec("great_expectations")
    places = (found.submodule_search_locations or []) if found else []
    return tuple(
        sorted(path.stem for place in places for path in Path(place, "expectations/core").glob("expect_*.py"))
    )


class Expectation(Section):
    """One expectation on the table of facts, as Great Expectations writes them."""

    type: str
    """Of Great Expectations, such as `expect_column_mean_to_be_between`."""

    kwargs: dict[str, Any] = Field(default_factory=dict)
    """What it is told, such as `{column: mean, min_value: 20}`."""

    @model_validator(mode="before")
    @classmethod
    def _has_its_arguments_in_one_place(cls, content: object) -> object:
        known = cls.model_fields
        if isinstance(content, Mapping) and (beside := [key for key in content if key not in known]):
            raise ValueError(
                f"expected the keys type and kwargs alone, got {', '.join(map(str, beside))} beside them: what an "
                "expectation is told stands in kwargs, as in {type: expect_column_mean_to_be_between, kwargs: "
                "{column: mean, min_value: 20}}"
            )
        return content

    @field_validator("type")
    @classmethod
    def _is_known(cls, name: str) -> str:
        known = _expectation_types()
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            hint = f" Did you mean {close[0]}?" if close else ""
            raise ValueError(
                f"expected an expectation of Great Expectations, such as expect_column_mean_to_be_between, got "
                f"{name!r}.{hint}"
            )
        return name


class ValidationSettings(Section):
    """Expectations on any records, and on drift. `null` turns a comparison with the last accepted data off."""

    min_records_per_split: int = Field(20, ge=1)
    """Fewest records in each of train, eval and test."""

    max_duplicate_fraction: float = Field(0.01, ge=0, le=1)
    """Share of records that have the very content of another record."""

    expectations: tuple[Expectation, ...] = ()
    """Further expectations of Great Expectations on the table of facts, which has one row for each record."""

    max_label_drift: float | None = Field(0.1, gt=0, le=1)
    """Largest Jensen-Shannon divergence of the labels from the last accepted data (0: equal, 1: disjoint)."""

    min_records_ratio: float | None = Field(0.5, gt=0, le=1)
    """Fewest records, as a multiple of those of the last accepted data."""

    max_records_ratio: float | None = Field(None, ge=1)
    """Most records, as a multiple of those of the last accepted data."""


class AugmentationSettings(Section):
    """How many augmented copies the train split gets. Evaluation data is never touched."""

    factor: int = Field(3, ge=1, le=50, title="Augmentation factor")
    """Size of the train split as a multiple; 1 adds none."""

    seed: int = Field(17, ge=0)
    """The same seed and data give the same copies."""
