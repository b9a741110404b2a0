"""The end of a classifier, and what it is trained towards.

A served classifier gives `probabilities`, float32 [n, classes], and `label`, string [n].
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from components import records
from components.keras import keras, tf
from components.tasks.classification.settings import TrainingSettings
from components.tasks.classification.target import TargetSettings

LABEL = tf.io.FixedLenFeature([], tf.int64)
LOSS = "sparse_categorical_crossentropy"
SOFT_LOSS = "categorical_crossentropy"
METRICS = ("accuracy",)
SCORE = "accuracy"


def head(target: TargetSettings) -> Callable[[Any], Any]:
    """Returns a dense layer with a softmax: probabilities, float32 [n, classes]."""

    def probabilities(features: Any) -> Any:
        return keras.layers.Dense(len(target.classes), activation="softmax", name="probabilities")(features)

    return probabilities


def answers(outputs: tf.Tensor, target: TargetSettings) -> dict[str, tf.Tensor]:
    """Returns the probabilities and the name of the most probable class."""
    label = tf.gather(tf.constant(target.classes), tf.argmax(outputs, axis=-1))
    return {"probabilities": outputs, "label": label}


def soft(label: tf.Tensor, target: TargetSettings) -> tf.Tensor:
    """Returns the share of each class in a label: one of them is 1."""
    return tf.one_hot(label, len(target.classes))


def weigh(
    data: tf.data.Dataset, examples_dir: str, target: TargetSettings, settings: TrainingSettings
) -> tf.data.Dataset:
    """Adds the weight of its class to each example where classes are balanced; over all examples they average 1."""
    if settings.class_weight == "none":
        return data
    labels = [
        item.features.feature[records.LABEL].int64_list.value[0]
        for item in records.read_split(examples_dir, "train")
    ]
    counts = np.bincount(labels, minlength=len(target.classes))
    # A class without examples has no weight that any example could be given.
    weights = tf.constant(len(labels) / (len(target.classes) * np.maximum(counts, 1)), tf.float32)

    @tf.autograph.experimental.do_not_convert
    def weighed(inputs: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        return inputs, label, tf.gather(weights, label)

    return data.map(weighed, tf.data.AUTOTUNE)


def score() -> keras.metrics.Metric:
    """Returns the share of examples whose most probable class is theirs."""
    return keras.metrics.SparseCategoricalAccuracy()
