"""The area under the ROC curve of two classes, as a metric of TFX's Evaluator.

TFMA's own works on a histogram, and ends the evaluation with an error where a model answers with what is no number:
such a model is to be refused, not to look like a broken pipeline.
"""

from collections.abc import Iterable
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics import metric_types, metric_util

Pairs = list[tuple[int, float]]
"""For each example its class, 0 or 1, and the probability of class 1."""


def area(pairs: Pairs) -> float:
    """Returns in which share of all pairs, one of each class, the one of class 1 is the more probable; ties count half.

    NaN where a class has no example, or a probability is no number.
    """
    labels, scores = (np.array([pair[index] for pair in pairs], np.float64) for index in (0, 1))
    positive, negative = scores[labels == 1], np.sort(scores[labels == 0])
    if not len(positive) or not len(negative) or np.isnan(scores).any():
        return float("nan")
    below = np.searchsorted(negative, positive, "left") + np.searchsorted(negative, positive, "right")
    return float(below.mean() / (2 * len(negative)))


class _Combiner(beam.CombineFn):
    """Gathers the pairs; an evaluation is of one test split, which fits into memory."""

    def __init__(self, key: metric_types.MetricKey, eval_config: tfma.EvalConfig) -> None:
        self._key, self._eval_config = key, eval_config

    def create_accumulator(self) -> Pairs:
        return []

    def add_input(self, pairs: Pairs, element: metric_types.StandardMetricInputs) -> Pairs:
        found = metric_util.to_label_prediction_example_weight(
            element, eval_config=self._eval_config, model_name=self._key.model_name, flatten=False
        )
        pairs.extend((int(label.ravel()[0]), float(scores.ravel()[1])) for label, scores, _ in found)
        return pairs

    def merge_accumulators(self, accumulators: Iterable[Pairs]) -> Pairs:
        return [pair for pairs in accumulators for pair in pairs]

    def extract_output(self, pairs: Pairs) -> dict[metric_types.MetricKey, float]:
        return {self._key: area(pairs)}


def _computations(
    name: str, eval_config: Any = None, model_name: str = "", **ignored: Any
) -> list[metric_types.MetricComputation]:
    key = metric_types.MetricKey(name=name, model_name=model_name)
    combiner = _Combiner(key, eval_config)
    return [metric_types.MetricComputation(keys=[key], preprocessors=None, combiner=combiner)]


class RocAuc(metric_types.Metric):
    """The area under the ROC curve; one number for all examples together."""

    def __init__(self, name: str = "auc") -> None:
        super().__init__(metric_util.merge_per_key_computations(_computations), name=name)


metric_types.register_metric(RocAuc)
