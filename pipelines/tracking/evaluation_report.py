"""Turns what TFMA wrote into a report: metrics per slice, a confusion matrix, and the verdict with its reason."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_model_analysis as tfma
from matplotlib.figure import Figure

from components import report
from contract.errors import SHOWN_FAILURES
from contract.run_folder import SUCCEEDED, NodeResult

SHORT_NAMES = {
    "sparse_categorical_accuracy": "accuracy",
    "sparse_categorical_crossentropy": "cross_entropy",
    "example_count": "example_count",
}
CANDIDATES = ("", "candidate")  # TFMA's names of the evaluated model, alone or beside a baseline
BASELINE = "baseline"
ROUNDING = 1e-6  # what is exactly at a bound is accepted, however its digits fall


@dataclass(frozen=True)
class Verdict:
    """Whether the model may go on, with the sentence that goes to the log, to MLflow and to the reviewer."""

    blessed: bool
    reason: str


@dataclass(frozen=True)
class Parent:
    """The model that a compressed one was made from.

    Attributes:
        accuracy: On the split `test`, in [0, 1]; `None` where the run does not know it.
        max_drop: How far the compressed model may lie behind it.
    """

    accuracy: float | None
    max_drop: float

    @classmethod
    def judged_by(cls, evaluated: NodeResult | None, max_drop: float) -> "Parent":
        """Reads how the parent fared in this run; only an evaluation that accepted it counts."""
        if evaluated is None or evaluated.state != SUCCEEDED:
            return cls(None, max_drop)
        return cls((evaluated.metrics or {}).get("accuracy"), max_drop)


@dataclass(frozen=True)
class Evaluation:
    """What TFMA wrote, and what it is held to beyond TFMA's own thresholds.

    Attributes:
        folder: ModelEvaluation artifact.
        n_examples: Test examples that there are.
        parent: Of a compressed model; `None` for any other.
    """

    folder: str
    n_examples: int
    parent: Parent | None = None


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


def _of_slice(failure: Any, slice_name: str, live: Mapping[str, float]) -> str:
    value = failure.metric_value.double_value.value
    where = f" on {slice_name.replace('_', ' ', 1)}" if slice_name else ""
    threshold = failure.metric_threshold
    if threshold.HasField("value_threshold"):
        bound = threshold.value_threshold.lower_bound.value
        return f"accuracy{where} is {value:.4f}, below the least acceptable {bound:.4f}"
    allowed = -threshold.change_threshold.absolute.value
    reference = live.get("_".join(filter(None, ("accuracy", slice_name))), math.nan)
    return f"accuracy{where} lies {-value:.4f} behind the live model's {reference:.4f}, more than {allowed:.4f} allowed"


def _broken_thresholds(evaluation_dir: str, live: Mapping[str, float]) -> Iterator[str]:
    """Yields a sentence for each of TFMA's thresholds that the model does not meet."""
    result = tfma.load_validation_result(evaluation_dir)
    if result.validation_ok:
        return
    sentences = [
        _of_slice(failure, _slice_name(per_slice.slice_key), live)
        for per_slice in result.metric_validations_per_slice
        for failure in per_slice.failures
    ]
    if result.missing_slices:
        missing = ", ".join(str(dict(spec.feature_values)) for spec in result.missing_slices)
        sentences.append(f"no test examples for {missing}")
    yield from sentences or [f"TFMA refused the model; see {evaluation_dir}"]


def _missing_answers(candidate: Mapping[str, float], n_examples: int) -> Iterator[str]:
    """Yields a sentence where the model did not answer, or not with numbers: argmax gives a class even for NaN."""
    broken = [f"{name} {value}" for name, value in candidate.items() if not math.isfinite(value)]
    if broken:
        more = f" and {len(broken) - SHOWN_FAILURES} more" if len(broken) > SHOWN_FAILURES else ""
        yield f"expected finite metrics, got {', '.join(broken[:SHOWN_FAILURES])}{more}"
    judged = candidate.get("example_count", 0)
    if judged != n_examples:
        yield f"expected an answer to each of the {n_examples} test examples, got {judged:g}"


def _lost(candidate: Mapping[str, float], parent: Parent) -> Iterator[str]:
    """Yields a sentence where the model is too far behind its parent, or nobody knows how far."""
    if parent.accuracy is None:
        yield (
            "expected the float model's accuracy in the result of `evaluate` in this run, and there is none: clear "
            "`evaluate` and what follows"
        )
        return
    loss = parent.accuracy - candidate.get("accuracy", math.nan)
    if not loss <= parent.max_drop + ROUNDING:
        yield (
            f"accuracy lies {loss:.4f} behind the float model's {parent.accuracy:.4f}, more than "
            f"compress.max_accuracy_drop {parent.max_drop:.4f} allows"
        )


def verdict(evaluation: Evaluation, candidate: Mapping[str, float], live: Mapping[str, float]) -> Verdict:
    """Says whether a model may go on. What is not known to be good is refused.

    Args:
        evaluation: What was evaluated.
        candidate: Metrics of the model, those that are not finite included.
        live: Metrics of the live model; empty without one.
    """
    sentences = [
        *_missing_answers(candidate, evaluation.n_examples),
        *_broken_thresholds(evaluation.folder, live),
        *(_lost(candidate, evaluation.parent) if evaluation.parent else ()),
    ]
    return Verdict(not sentences, "; ".join(sentences))


def write(evaluation: Evaluation, folder: Path, classes: Sequence[str]) -> Verdict:
    """Writes the report of an evaluation to `folder` and returns the verdict."""
    candidate, live = metrics(evaluation.folder)
    report.write(folder, metrics=candidate | {f"baseline_{name}": value for name, value in live.items()})
    counts = confusion_matrix(evaluation.folder, len(classes))
    draw_confusion(counts, classes, folder / "confusion_matrix.png")
    return verdict(evaluation, candidate, live)
