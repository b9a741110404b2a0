"""How a classifier's evaluation is told: a confusion matrix, and a table of accuracies for each class."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow_model_analysis as tfma
from matplotlib.figure import Figure

from components.records import LABEL
from components.tasks.classification.target import TargetSettings

NAMES = {
    "sparse_categorical_accuracy": "accuracy",
    "sparse_categorical_crossentropy": "cross_entropy",
    "example_count": "example_count",
    "auc": "auc",
}
OVERALL = frozenset({"auc"})  # a slice is one class, and the area is that of two
CANDIDATES = ("", "candidate")  # TFMA's names of the evaluated model, alone or beside a baseline
SHOWN_CLASSES = 20


def slice_title(name: str, target: TargetSettings) -> str:
    """Returns the name of the class where examples of one class are judged."""
    index = name.removeprefix(f"{LABEL}_")
    return f"{LABEL} {target.classes[int(index)]}" if index.isdigit() else name.replace("_", " ", 1)


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


def draw(evaluation_dir: str, folder: Path, target: TargetSettings) -> None:
    """Adds the confusion matrix."""
    counts = confusion_matrix(evaluation_dir, len(target.classes))
    draw_confusion(counts, target.classes, folder / "confusion_matrix.png")


def table(metrics: Mapping[str, float], target: TargetSettings) -> Iterator[str]:
    """Yields a table of accuracies on the split `test`; of many classes, those that lost most."""
    rows = [(name, *_pair(metrics, f"accuracy_label_{label}")) for label, name in enumerate(target.classes)]
    shown = rows
    if len(rows) > SHOWN_CLASSES:
        shown = sorted(rows, key=_loss)[-SHOWN_CLASSES:][::-1]
        yield f"Of {len(rows)} classes, the {SHOWN_CLASSES} that lost most:"
        yield ""
    yield "| accuracy on test | candidate | champion |"
    yield "|---|---|---|"
    yield _row("all", *_pair(metrics, "accuracy"))
    yield from (_row(*row) for row in shown)
    if "auc" in metrics:
        yield _row("ROC AUC", *_pair(metrics, "auc"))
    yield ""


def _pair(metrics: Mapping[str, float], name: str) -> tuple[float | None, float | None]:
    return metrics.get(name), metrics.get(f"baseline_{name}")


def _loss(row: tuple[str, float | None, float | None]) -> float:
    _, candidate, champion = row
    return (1.0 if champion is None else champion) - (candidate or 0.0)


def _row(name: str, *values: float | None) -> str:
    name = name.replace("|", "\\|")
    return f"| {name} | {' | '.join('' if value is None else f'{value:.4f}' for value in values)} |"
