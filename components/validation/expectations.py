"""The Great Expectations suite on the facts of the examples, and its run with Data Docs."""

import difflib
import os
import reprlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")

import great_expectations as gx
import great_expectations.expectations as gxe
import numpy as np
import pandas as pd
from great_expectations.exceptions import GreatExpectationsError
from great_expectations.expectations.registry import get_expectation_impl

from components.families.interface import Facts
from components.families.sections import Expectation, ValidationSettings
from components.records import ID, SPLITS
from components.tasks import interface as tasks
from components.validation import data_docs
from components.validation.facts import columns
from contract.errors import SHOWN_FAILURES, SettingsError

SUITE = "examples"
NAMING_COLUMNS = ("column", "column_A", "column_B", "column_list")  # arguments of expectations

# A sentence stays readable, whatever the number of classes.
_short = reprlib.Repr()
_short.maxlist = _short.maxdict = _short.maxtuple = _short.maxset = 20
_short.maxstring = _short.maxother = 200


@dataclass(frozen=True)
class Labels:
    """What is expected of labels.

    Attributes:
        task: Its facts.
        target: What is to be learnt.
        settings: The task's `ValidationSettings`.
    """

    task: tasks.Facts
    target: Any
    settings: Any


def suite(settings: ValidationSettings, family: Facts, record: Any, labels: Labels) -> gx.ExpectationSuite:
    """Returns what must hold for the facts of all splits together.

    Args:
        settings: The family's `ValidationSettings`.
        family: Its facts.
        record: What a record is.
        labels: What is expected of them.

    Raises:
        SettingsError: If an expectation of the configuration is none on these facts.
    """
    known = columns(family, record)
    expectations: list[Any] = [
        gxe.ExpectTableColumnsToMatchSet(column_set=list(known)),
        gxe.ExpectColumnValuesToBeUnique(column=ID),
        gxe.ExpectColumnValuesToBeInSet(column="split", value_set=list(SPLITS)),
        *labels.task.expectations(labels.target, labels.settings),
        *family.expectations(settings, record),
        gxe.ExpectColumnValuesToBeUnique(column="digest", mostly=1 - settings.max_duplicate_fraction),
        gxe.ExpectColumnValuesToBeBetween(column="splits_of_digest", max_value=1),
    ]
    expectations += [
        gxe.ExpectTableRowCountToBeBetween(
            min_value=settings.min_records_per_split,
            row_condition=f'split == "{split}"',
            condition_parser="pandas",
            meta={"split": split},
        )
        for split in SPLITS
    ]
    expectations += [_configured(each, number, known) for number, each in enumerate(settings.expectations)]
    return gx.ExpectationSuite(name=SUITE, expectations=expectations)


def _configured(wanted: Expectation, number: int, known: Sequence[str]) -> Any:
    """Returns an expectation of the configuration.

    Raises:
        SettingsError: If it lacks an argument, has one that it does not take, or is on a column that does not exist.
    """
    where = f"validation.expectations.{number} ({wanted.type})"
    for column in _columns_of(wanted.kwargs):
        if column not in known:
            close = difflib.get_close_matches(str(column), known, 1)
            hint = f" Did you mean {close[0]}?" if close else ""
            raise SettingsError(
                f"{where}: expected one of the facts {', '.join(known)}, got {column!r}.{hint}"
            )
    try:
        return get_expectation_impl(wanted.type)(**wanted.kwargs)
    except (ValueError, TypeError, GreatExpectationsError) as error:
        details = error.errors() if hasattr(error, "errors") else []
        said = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in details) or str(
            error
        )
        raise SettingsError(f"{where}: {said}. Got {_short.repr(dict(wanted.kwargs))}.") from error


def _columns_of(kwargs: Mapping[str, Any]) -> Iterator[Any]:
    for name in NAMING_COLUMNS:
        if name in kwargs:
            found = kwargs[name]
            yield from found if isinstance(found, list) else [found]


def _failure(result: Any) -> str:
    """Says in one line what an expectation wanted and what it saw, and names records that are otherwise."""
    wanted = {
        key: value
        for key, value in result.expectation_config.kwargs.items()
        if key not in ("batch_id", "column") and value is not None
    }
    column = result.expectation_config.kwargs.get("column")
    where = f" on {column}" if column else ""
    return f"{result.expectation_config.type}{where}: expected {_short.repr(wanted)}, {_got(result)}"


def _got(result: Any) -> str:
    seen = result.result
    if "unexpected_count" in seen:
        count, total = seen["unexpected_count"], seen["element_count"]
        named = "; ".join(_record(each) for each in seen.get("partial_unexpected_index_list") or ())
        return f"got {count} of {total} records that are otherwise ({count / total:.2%}): {named}"
    if "observed_value" in seen:
        observed = seen["observed_value"]  # NumPy's numbers name their type in their repr, from version 2 on
        return f"got {_short.repr(observed.item() if isinstance(observed, np.generic) else observed)}"
    raised = result.exception_info
    each = [raised] if "exception_message" in raised else list(raised.values())
    said = "; ".join(dict.fromkeys(str(one["exception_message"]) for one in each))
    return f"and it could not be evaluated: {said}"


def _record(row: Mapping[str, Any]) -> str:
    """Returns a record's id, and what was looked at."""
    facts = ", ".join(f"{name} {value}" for name, value in row.items() if name != ID)
    return f"{row[ID]} ({facts})" if facts else str(row[ID])


def run(facts: pd.DataFrame, wanted: gx.ExpectationSuite, *, docs_dir: Path, run_name: str) -> list[str]:
    """Checks `facts` and writes Data Docs to `docs_dir`; returns one sentence for each broken expectation."""
    context = data_docs.context(docs_dir)
    asset = context.data_sources.add_pandas("facts").add_dataframe_asset(SUITE)
    definition = gx.ValidationDefinition(
        name=SUITE,
        data=asset.add_batch_definition_whole_dataframe("all"),
        suite=context.suites.add(wanted),
    )
    checkpoint = gx.Checkpoint(
        name=SUITE,
        validation_definitions=[context.validation_definitions.add(definition)],
        result_format={
            "result_format": "SUMMARY",
            "unexpected_index_column_names": [ID],
            "partial_unexpected_count": SHOWN_FAILURES,
        },
    )
    outcome = context.checkpoints.add(checkpoint).run(
        batch_parameters={"dataframe": facts}, run_id=gx.RunIdentifier(run_name=run_name)
    )
    data_docs.build(context, docs_dir)
    (result,) = outcome.run_results.values()
    return [_failure(item) for item in result.results if not item.success]
