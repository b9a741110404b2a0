"""Builds the configurations of TFX's Evaluator. Pure: settings in, protocol buffer out."""

import tensorflow_model_analysis as tfma

from components import keras  # noqa: F401  the metrics are Keras's; its rules must be in force
from components.evaluation.settings import EvaluationSettings
from components.records import LABEL

ACCURACY = "SparseCategoricalAccuracy"
CONFUSION = "MultiClassConfusionMatrixPlot"
SPLIT = "test"


def _model_spec(name: str, *, is_baseline: bool) -> tfma.ModelSpec:
    return tfma.ModelSpec(
        name=name,
        is_baseline=is_baseline,
        model_type=tfma.constants.TF_GENERIC,  # TFMA would otherwise load the model to find out
        signature_name="examples",
        label_key=LABEL,
        prediction_key="probabilities",
    )


def _models(has_baseline: bool) -> list[tfma.ModelSpec]:
    if not has_baseline:
        return [_model_spec("", is_baseline=False)]
    return [_model_spec("candidate", is_baseline=False), _model_spec("baseline", is_baseline=True)]


def _at_least(value: float) -> tfma.GenericValueThreshold:
    # TFMA asks for strictly more than the bound; a hair below it makes the bound itself acceptable.
    return tfma.GenericValueThreshold(lower_bound={"value": value - 1e-6})


def _on(features: dict[str, str], threshold: tfma.MetricThreshold) -> tfma.PerSliceMetricThreshold:
    """Returns a threshold for one slice; no features are all examples together.

    TFMA applies a threshold without slices to every slice, so the overall one names its slice too.
    """
    return tfma.PerSliceMetricThreshold(
        slicing_specs=[tfma.SlicingSpec(feature_values=features)], threshold=threshold
    )


def _config(thresholds: list[tfma.PerSliceMetricThreshold], *, has_baseline: bool) -> tfma.EvalConfig:
    accuracy = tfma.MetricConfig(class_name=ACCURACY, per_slice_thresholds=thresholds)
    others = [
        tfma.MetricConfig(class_name=name)
        for name in ("SparseCategoricalCrossentropy", "ExampleCount", CONFUSION)
    ]
    return tfma.EvalConfig(
        model_specs=_models(has_baseline),
        slicing_specs=[tfma.SlicingSpec(), tfma.SlicingSpec(feature_keys=[LABEL])],
        metrics_specs=[tfma.MetricsSpec(metrics=[accuracy, *others])],
    )


def of_float_model(settings: EvaluationSettings, n_classes: int, *, has_baseline: bool) -> tfma.EvalConfig:
    """Returns absolute gates, overall and per class, and the change from the live model where there is one.

    Args:
        settings: The gates.
        n_classes: One slice for each.
        has_baseline: Whether the Evaluator gets the live model as its baseline.
    """
    change = tfma.GenericChangeThreshold(
        direction=tfma.MetricDirection.HIGHER_IS_BETTER,
        absolute={"value": -settings.max_drop_from_live - 1e-6},
    )
    overall = tfma.MetricThreshold(
        value_threshold=_at_least(settings.min_accuracy), change_threshold=change if has_baseline else None
    )
    per_class = tfma.MetricThreshold(value_threshold=_at_least(settings.min_slice_accuracy))
    thresholds = [_on({}, overall)] + [_on({LABEL: str(label)}, per_class) for label in range(n_classes)]
    return _config(thresholds, has_baseline=has_baseline)


def of_compressed_model(max_drop: float) -> tfma.EvalConfig:
    """Returns the gate on the compressed model: its accuracy may lie `max_drop` behind the float model's."""
    change = tfma.GenericChangeThreshold(
        direction=tfma.MetricDirection.HIGHER_IS_BETTER, absolute={"value": -max_drop - 1e-6}
    )
    return _config([_on({}, tfma.MetricThreshold(change_threshold=change))], has_baseline=True)
