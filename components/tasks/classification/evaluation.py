"""Builds the configurations of TFX's Evaluator. Pure: settings in, protocol buffer out."""

import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.proto.config_pb2 import PerSliceMetricThreshold

from components import keras  # noqa: F401  the metrics are Keras's; its rules must be in force
from components.records import LABEL
from components.tasks.classification import auc
from components.tasks.classification.settings import EvaluationSettings
from components.tasks.classification.target import TargetSettings
from contract.errors import SettingsError

ACCURACY = "SparseCategoricalAccuracy"
CONFUSION = "MultiClassConfusionMatrixPlot"


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


def _on(features: dict[str, str], threshold: tfma.MetricThreshold) -> PerSliceMetricThreshold:
    """Returns a threshold for one slice; no features are all examples together.

    TFMA applies a threshold without slices to every slice, so the overall one names its slice too.
    """
    return PerSliceMetricThreshold(
        slicing_specs=[tfma.SlicingSpec(feature_values=features)], threshold=threshold
    )


def _not_behind(most: float) -> tfma.GenericChangeThreshold:
    return tfma.GenericChangeThreshold(
        direction=tfma.MetricDirection.HIGHER_IS_BETTER, absolute={"value": -most - 1e-6}
    )


def _accuracy(settings: EvaluationSettings, n_classes: int, has_baseline: bool) -> tfma.MetricConfig:
    overall = tfma.MetricThreshold(
        value_threshold=_at_least(settings.min_accuracy),
        change_threshold=_not_behind(settings.max_drop_from_live) if has_baseline else None,
    )
    per_class = tfma.MetricThreshold(
        value_threshold=_at_least(settings.min_slice_accuracy),
        change_threshold=_not_behind(settings.max_slice_drop_from_live) if has_baseline else None,
    )
    thresholds = [_on({}, overall)] + [_on({LABEL: str(label)}, per_class) for label in range(n_classes)]
    return tfma.MetricConfig(class_name=ACCURACY, per_slice_thresholds=thresholds)


def _area_under_curve(settings: EvaluationSettings) -> tfma.MetricConfig:
    """Returns the area under the ROC curve of the second class against the first."""
    gate = []
    if settings.min_auc is not None:
        gate = [_on({}, tfma.MetricThreshold(value_threshold=_at_least(settings.min_auc)))]
    return tfma.MetricConfig(class_name="RocAuc", module=auc.__name__, per_slice_thresholds=gate)


def of_candidate(
    settings: EvaluationSettings, target: TargetSettings, *, has_baseline: bool
) -> tfma.EvalConfig:
    """Returns the gates on a model: absolute and, where something is live, the change from it; overall and per class.

    Args:
        settings: The gates.
        target: One slice for each of its classes.
        has_baseline: Whether the Evaluator gets the live model as its baseline.

    Raises:
        SettingsError: If an area under the curve is asked of more than two classes.
    """
    n_classes = len(target.classes)
    if settings.min_auc is not None and n_classes != 2:
        raise SettingsError(
            f"evaluate.min_auc: expected null, or two classes in data.classes, got {n_classes}: the area under the "
            "ROC curve is that of two."
        )
    others = [
        tfma.MetricConfig(class_name=name)
        for name in ("SparseCategoricalCrossentropy", "ExampleCount", CONFUSION)
    ]
    of_two = [_area_under_curve(settings)] if n_classes == 2 else []
    measured = [_accuracy(settings, n_classes, has_baseline), *others, *of_two]
    return tfma.EvalConfig(
        model_specs=_models(has_baseline),
        slicing_specs=[tfma.SlicingSpec(), tfma.SlicingSpec(feature_keys=[LABEL])],
        metrics_specs=[tfma.MetricsSpec(metrics=measured)],
    )
