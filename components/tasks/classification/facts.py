"""What can be expected of a classifier's labels."""

from typing import Any

import great_expectations.expectations as gxe
import tensorflow as tf

from components.tasks.classification.settings import ValidationSettings
from components.tasks.classification.target import TargetSettings
from contract.errors import SettingsError

__all__ = ["TargetSettings", "ValidationSettings", "decode", "expectations"]


def decode(feature: tf.train.Feature) -> int:
    """Returns the index of the class."""
    return feature.int64_list.value[0]


def expectations(target: TargetSettings, settings: ValidationSettings) -> list[Any]:
    """Returns that each label is one of the classes, and that each class has examples, and enough of them.

    Raises:
        SettingsError: If not even classes of the same size could be large enough.
    """
    even = 1 / len(target.classes)
    if settings.min_class_share > even:
        raise SettingsError(
            f"validation.min_class_share: expected at most {even:.3g}, the share of each of {len(target.classes)} "
            f"classes of the same size, got {settings.min_class_share:g}."
        )
    return [
        gxe.ExpectColumnValuesToBeBetween(column="label", min_value=0, max_value=len(target.classes) - 1),
        gxe.ExpectColumnDistinctValuesToContainSet(
            column="label", value_set=list(range(len(target.classes)))
        ),
        gxe.ExpectColumnValuesToBeBetween(column="share_of_label", min_value=settings.min_class_share),
    ]
