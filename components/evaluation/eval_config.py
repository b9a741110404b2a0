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


def _not_behind(most: float) -> tfma.GenericChangeThreshold:
    return tfma.GenericChangeThreshold(
        direction=tfma.MetricDirection.HIGHER_IS_BETTER, absolute={"value": -most - 1e-6}
    )


def of_candidate(settings: EvaluationSettings, n_classes: int, *, has_baseline: bool) -> tfma.EvalConfig:
    """Returns the gates on a model: absolute and, where something is live, the change from it; overall and per class.

    Args:
        settings: The gates.
        n_classes: One slice for each.
        has_baseline: Whether the Evaluator gets the live model as its baseline.
    """
    overall = tfma.MetricThreshold(
        value_threshold=_at_least(settings.min_accuracy),
        change_threshold=_not_behind(settings.max_drop_from_live) if has_baseline else None,
    )
    per_class = tfma.MetricThreshold(
        value_threshold=_at_least(settings.min_slice_accuracy),
        change_threshold=_not_behind(settings.max_slice_drop_from_live) if has_baseline else None,
    )
    thresholds = [_on({}, overall)] + [_on({LABEL: str(label)}, per_class) for label in range(n_classes)]
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
