"""Draws score against size for every form the model exists in."""

from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure

from components.compression.compress import Form


def draw(forms: Mapping[str, Form], measured: str, path: Path) -> None:
    """Saves a PNG, `measured` being what a score is; hollow marks are sizes on disk, filled ones sizes after gzip."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for number, (name, form) in enumerate(forms.items()):
        colour = f"C{number}"
        label = name.replace("_", " ")
        axes.scatter(form.size_bytes / 1024, form.score, facecolors="none", edgecolors=colour, label=label)
        if form.gzip_bytes:
            axes.scatter(form.gzip_bytes / 1024, form.score, color=colour)
    axes.set(xscale="log", xlabel="KiB (hollow: on disk, filled: after gzip)", ylabel=f"{measured} on test")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=120)
