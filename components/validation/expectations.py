"""The Great Expectations suite on the facts of the examples, and its run with Data Docs."""

import os
from pathlib import Path
from typing import Any

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")

import great_expectations as gx
import great_expectations.expectations as gxe
import pandas as pd
from great_expectations.data_context.types.base import ProgressBarsConfig

from components.families.interface import Facts
from components.families.sections import ValidationSettings
from components.records import SPLITS
from components.tasks import interface as tasks
from components.validation.facts import columns

SITE = "data_docs"
SUITE = "examples"


def suite(
    settings: ValidationSettings, family: Facts, task: tasks.Facts, record: Any, target: Any
) -> gx.ExpectationSuite:
    """Returns what must hold for the facts of all splits together.

    Args:
        settings: The family's `ValidationSettings`.
        family: Its facts.
        task: Its labels.
        record: What a record is.
        target: What is to be learnt.
    """
    expectations: list[Any] = [
        gxe.ExpectTableColumnsToMatchSet(column_set=list(columns(family, record))),
        gxe.ExpectColumnValuesToBeUnique(column="id"),
        gxe.ExpectColumnValuesToBeInSet(column="split", value_set=list(SPLITS)),
        *task.expectations(target),
        *family.expectations(settings, record),
        gxe.ExpectColumnProportionOfUniqueValuesToBeBetween(
            column="digest", min_value=1 - settings.max_duplicate_fraction, max_value=1
        ),
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
    return gx.ExpectationSuite(name=SUITE, expectations=expectations)


def _failure(result: Any) -> str:
    """Says in one line what an expectation wanted and what it saw."""
    wanted = {
        key: value
        for key, value in result.expectation_config.kwargs.items()
        if key not in ("batch_id", "column") and value is not None
    }
    column = result.expectation_config.kwargs.get("column")
    seen = result.result or result.exception_info
    shown = {
        key: seen[key]
        for key in ("observed_value", "unexpected_count", "unexpected_percent", "partial_unexpected_list")
        if key in seen
    }
    where = f" on {column}" if column else ""
    return f"{result.expectation_config.type}{where}: expected {wanted}, got {shown or seen}"


def run(facts: pd.DataFrame, wanted: gx.ExpectationSuite, *, docs_dir: Path, run_name: str) -> list[str]:
    """Checks `facts` and writes Data Docs to `docs_dir`; returns one sentence for each broken expectation."""
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    site = {
        "class_name": "SiteBuilder",
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(docs_dir)},
    }
    add_site = (
        context.update_data_docs_site if SITE in context.get_site_names() else context.add_data_docs_site
    )
    add_site(SITE, site)
    asset = context.data_sources.add_pandas("facts").add_dataframe_asset(SUITE)
    definition = gx.ValidationDefinition(
        name=SUITE,
        data=asset.add_batch_definition_whole_dataframe("all"),
        suite=context.suites.add(wanted),
    )
    checkpoint = gx.Checkpoint(
        name=SUITE,
        validation_definitions=[context.validation_definitions.add(definition)],
        result_format={"result_format": "SUMMARY"},
    )
    outcome = context.checkpoints.add(checkpoint).run(
        batch_parameters={"dataframe": facts}, run_id=gx.RunIdentifier(run_name=run_name)
    )
    context.build_data_docs(site_names=[SITE])
    (result,) = outcome.run_results.values()
    return [_failure(item) for item in result.results if not item.success]
