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
    """Adds the weight of each example where its source says one, or classes are balanced.

    Over all examples the weights average 1: what sources say counts by its ratio alone.
    """
    has_own = len(data.element_spec) > 2
    if settings.class_weight == "none" and not has_own:
        return data
    counted = [
        (item.features.feature[records.LABEL].int64_list.value[0], records.weight_of(item))
        for item in records.read_split(examples_dir, "train")
    ]
    labels, weights = zip(*counted, strict=True)
    of_class = np.bincount(labels, weights, minlength=len(target.classes))
    if settings.class_weight == "none":
        of_class = np.full_like(of_class, of_class.mean())
    # A class without examples has no weight that any example could be given.
    scales = tf.constant(len(labels) / (len(of_class) * np.where(of_class > 0, of_class, 1)), tf.float32)

    @tf.autograph.experimental.do_not_convert
    def weighed(
        inputs: tf.Tensor, label: tf.Tensor, own: tf.Tensor | float = 1.0
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        return inputs, label, own * tf.gather(scales, label)

    return data.map(weighed, tf.data.AUTOTUNE)


def score() -> keras.metrics.Metric:
    """Returns the share of examples whose most probable class is theirs."""
    return keras.metrics.SparseCategoricalAccuracy()
