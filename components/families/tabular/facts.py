"""What can be expected of a row: its columns themselves."""

from typing import Any

import great_expectations.expectations as gxe
import numpy as np
import tensorflow as tf

from components.families.tabular.data import RecordSettings, input_name
from components.families.tabular.settings import ValidationSettings
from contract.errors import SettingsError

__all__ = ["RecordSettings", "ValidationSettings", "columns", "content", "drifting", "expectations", "facts"]


def columns(record: RecordSettings) -> list[str]:
    """Returns the names of the columns, as they are called as inputs."""
    return record.inputs


def facts(example: tf.train.Example, record: RecordSettings) -> dict[str, object]:
    """Returns the number in each column."""
    return {name: example.features.feature[name].float_list.value[0] for name in record.inputs}


def content(example: tf.train.Example, record: RecordSettings) -> bytes:
    """Returns the numbers of all columns."""
    return np.array(list(facts(example, record).values()), np.float32).tobytes()


def expectations(settings: ValidationSettings, record: RecordSettings) -> list[Any]:
    """Returns that each column tells records apart, and keeps to its range where it has one.

    Raises:
        SettingsError: If a range is one of no column.
    """
    ranges = {input_name(column): limits for column, limits in settings.ranges.items()}
    if unknown := sorted(set(ranges) - set(record.inputs)):
        raise SettingsError(
            f"validation.ranges: expected columns of data.columns, got {unknown[0]!r}. There are: "
            f"{', '.join(record.columns)}."
        )
    tell_apart = [
        gxe.ExpectColumnUniqueValueCountToBeBetween(column=name, min_value=2) for name in record.inputs
    ]
    within = [
        gxe.ExpectColumnValuesToBeBetween(column=name, min_value=least, max_value=greatest)
        for name, (least, greatest) in ranges.items()
    ]
    return [*tell_apart, *within]


def drifting(record: RecordSettings) -> dict[str, str]:
    """Returns that the drift of every column has the same limit."""
    return dict.fromkeys(record.inputs, "max_feature_drift")
