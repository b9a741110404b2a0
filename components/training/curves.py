"""Draws loss and accuracy over the epochs."""

from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure


def draw(history: Mapping[str, list[float]], path: Path) -> None:
    """Saves a PNG with one panel for each metric that has a `val_` partner.

    Args:
        history: Values per epoch by metric name, such as `loss` and `val_loss`.
        path: Where to save.
    """
    names = [name for name in history if f"val_{name}" in history]
    figure = Figure(figsize=(5 * len(names), 3.5), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        for label, key in (("train", name), ("eval", f"val_{name}")):
            axes.plot(range(1, len(history[key]) + 1), history[key], marker=".", label=label)
        axes.set(title=name, xlabel="epoch")
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=120)
