"""What can be expected of a classifier's labels."""

from typing import Any

import great_expectations.expectations as gxe
import tensorflow as tf

from components.tasks.classification.target import TargetSettings


def decode(feature: tf.train.Feature) -> int:
    """Returns the index of the class."""
    return feature.int64_list.value[0]


def expectations(target: TargetSettings) -> list[Any]:
    """Returns that each label is one of the classes, and that each class has examples."""
    return [
        gxe.ExpectColumnValuesToBeBetween(column="label", min_value=0, max_value=len(target.classes) - 1),
        gxe.ExpectColumnDistinctValuesToContainSet(
            column="label", value_set=list(range(len(target.classes)))
        ),
    ]
