"""Turns what TFMA wrote into a report: metrics per slice, a confusion matrix, and the verdict with its reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_model_analysis as tfma
from matplotlib.figure import Figure

from components import report

SHORT_NAMES = {
    "sparse_categorical_accuracy": "accuracy",
    "sparse_categorical_crossentropy": "cross_entropy",
    "example_count": "example_count",
}
CANDIDATES = ("", "candidate")  # TFMA's names of the evaluated model, alone or beside a baseline
BASELINE = "baseline"


@dataclass(frozen=True)
class Verdict:
    """Whether the model may go on, with the sentence that goes to the log, to MLflow and to the reviewer."""

    blessed: bool
    reason: str


def _slice_name(key: Any) -> str:
    """Returns `label_3` for the slice where `label` is 3, and nothing for the whole."""
    parts = []
    for single in key.single_slice_keys:
        value = getattr(single, single.WhichOneof("kind"))
        parts.append(f"{single.column}_{value.decode() if isinstance(value, bytes) else value}")
    return "_".join(parts)


def metrics(evaluation_dir: str) -> tuple[dict[str, float], dict[str, float]]:
    """Returns the metrics of the candidate and of the baseline (empty without one).

    `accuracy` is over everything evaluated, `accuracy_label_3` over one slice.
    """
    candidate: dict[str, float] = {}
    baseline: dict[str, float] = {}
    for per_slice in tfma.load_metrics(evaluation_dir):
        slice_name = _slice_name(per_slice.slice_key)
        for item in per_slice.metric_keys_and_values:
            if item.key.name in SHORT_NAMES and not item.key.is_diff:
                name = "_".join(filter(None, (SHORT_NAMES[item.key.name], slice_name)))
                target = baseline if item.key.model_name == BASELINE else candidate
                target[name] = item.value.double_value.value
    return candidate, baseline


def confusion_matrix(evaluation_dir: str, n_classes: int) -> np.ndarray:
    """Returns the candidate's counts, int64 [true class, predicted class], over all evaluated examples."""
    counts = np.zeros([n_classes, n_classes], np.int64)
    for per_slice in tfma.load_plots(evaluation_dir):
        if per_slice.slice_key.single_slice_keys:
            continue
        for item in per_slice.plot_keys_and_values:
            if item.key.model_name in CANDIDATES:
                matrices = item.value.multi_class_confusion_matrix_at_thresholds.matrices
                for entry in matrices[0].entries if matrices else ():
                    # TFMA counts predictions below the threshold as class -1.
                    if entry.predicted_class_id >= 0:
                        cell = entry.actual_class_id, entry.predicted_class_id
                        counts[cell] += round(entry.num_weighted_examples)
    return counts


def draw_confusion(counts: np.ndarray, classes: Sequence[str], path: Path) -> None:
    """Saves a PNG of a confusion matrix, int64 [true class, predicted class]."""
    figure = Figure(figsize=(1.5 + 0.45 * len(classes), 1.2 + 0.45 * len(classes)), layout="constrained")
    axes = figure.subplots()
    axes.imshow(np.log1p(counts), cmap="Blues")
    axes.set(xlabel="predicted", ylabel="true")
    axes.set_xticks(range(len(classes)), classes)
    axes.set_yticks(range(len(classes)), classes)
    middle = np.log1p(counts).max() / 2
    for (row, column), count in np.ndenumerate(counts):
        if count:
            colour = "white" if np.log1p(count) > middle else "black"
            axes.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=8)
    figure.savefig(path, dpi=120)


def _sentence(failure: Any, slice_name: str, baseline: Mapping[str, float]) -> str:
    value = failure.metric_value.double_value.value
    where = f" on {slice_name.replace('_', ' ', 1)}" if slice_name else ""
    threshold = failure.metric_threshold
    if threshold.HasField("value_threshold"):
        bound = threshold.value_threshold.lower_bound.value
        return f"accuracy{where} is {value:.4f}, below the least acceptable {bound:.4f}"
    allowed = -threshold.change_threshold.absolute.value
    reference = baseline.get("accuracy", float("nan"))
    return f"accuracy{where} lies {-value:.4f} behind the baseline's {reference:.4f}, more than {allowed:.4f} allowed"


def verdict(evaluation_dir: str, baseline: Mapping[str, float]) -> Verdict:
    """Reads TFMA's validation result.

    Args:
        evaluation_dir: ModelEvaluation artifact.
        baseline: Metrics of the baseline; empty without one.
    """
    result = tfma.load_validation_result(evaluation_dir)
    if result.validation_ok:
        return Verdict(True, "")
    sentences = []
    for per_slice in result.metric_validations_per_slice:
        for failure in per_slice.failures:
            sentences.append(_sentence(failure, _slice_name(per_slice.slice_key), baseline))
    if result.missing_slices:
        missing = ", ".join(str(spec.feature_values) for spec in result.missing_slices)
        sentences.append(f"no test examples for {missing}")
    return Verdict(False, "; ".join(sentences) or f"TFMA refused the model; see {evaluation_dir}")


def write(evaluation_dir: str, folder: Path, classes: Sequence[str]) -> Verdict:
    """Writes the report of an evaluation to `folder` and returns the verdict."""
    candidate, baseline = metrics(evaluation_dir)
    report.write(folder, metrics=candidate | {f"baseline_{name}": value for name, value in baseline.items()})
    draw_confusion(confusion_matrix(evaluation_dir, len(classes)), classes, folder / "confusion_matrix.png")
    return verdict(evaluation_dir, baseline)
