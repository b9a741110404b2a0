"""The Great Expectations suite on the facts of the images, and its run with Data Docs."""

import os
from pathlib import Path
from typing import Any

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")

import great_expectations as gx
import great_expectations.expectations as gxe
import pandas as pd
from great_expectations.data_context.types.base import ProgressBarsConfig

from components.records import SPLITS
from components.validation.facts import COLUMNS
from components.validation.settings import ValidationSettings

SITE = "data_docs"


def suite(settings: ValidationSettings, n_classes: int) -> gx.ExpectationSuite:
    """Returns what must hold for the facts of all splits together."""
    side = {"min_value": settings.min_side_px}
    expectations: list[Any] = [
        gxe.ExpectTableColumnsToMatchSet(column_set=list(COLUMNS)),
        gxe.ExpectColumnValuesToBeUnique(column="id"),
        gxe.ExpectColumnValuesToBeInSet(column="split", value_set=list(SPLITS)),
        gxe.ExpectColumnValuesToBeBetween(column="label", min_value=0, max_value=n_classes - 1),
        gxe.ExpectColumnDistinctValuesToContainSet(column="label", value_set=list(range(n_classes))),
        gxe.ExpectColumnValuesToBeBetween(column="height", **side),
        gxe.ExpectColumnValuesToBeBetween(column="width", **side),
        gxe.ExpectColumnValuesToBeInSet(column="channels", value_set=[1, 3, 4]),
        gxe.ExpectColumnValuesToBeBetween(
            column="std", min_value=0, strict_min=True, mostly=1 - settings.max_constant_fraction
        ),
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
    return gx.ExpectationSuite(name="images", expectations=expectations)


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
    asset = context.data_sources.add_pandas("facts").add_dataframe_asset("images")
    definition = gx.ValidationDefinition(
        name="images",
        data=asset.add_batch_definition_whole_dataframe("all"),
        suite=context.suites.add(wanted),
    )
    checkpoint = gx.Checkpoint(
        name="images",
        validation_definitions=[context.validation_definitions.add(definition)],
        result_format={"result_format": "SUMMARY"},
    )
    outcome = context.checkpoints.add(checkpoint).run(
        batch_parameters={"dataframe": facts}, run_id=gx.RunIdentifier(run_name=run_name)
    )
    context.build_data_docs(site_names=[SITE])
    (result,) = outcome.run_results.values()
    return [_failure(item) for item in result.results if not item.success]
