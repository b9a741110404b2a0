"""What a node has to show to a person: numbers, pictures and files in one folder.

    <folder>/metrics.json      flat numbers: {"accuracy": 0.98}
    <folder>/parameters.json   flat facts that are not measured: {"replicas": 1}
    <folder>/**                pictures (.png), pages (.html) and data (.json), shown as they are

Components write this and know nothing of who shows it.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path

METRICS = "metrics.json"
PARAMETERS = "parameters.json"


def write(
    folder: str | Path, *, metrics: Mapping[str, float], parameters: Mapping[str, object] | None = None
) -> Path:
    """Writes the numbers of a report and returns its folder, where pictures and files may be added.

    Args:
        folder: Made where it does not exist.
        metrics: Finite numbers by name; others are left out, since JSON has no NaN.
        parameters: Facts by name, such as the number of replicas.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    finite = {name: float(value) for name, value in metrics.items() if math.isfinite(value)}
    (folder / METRICS).write_text(json.dumps(finite, indent=2))
    (folder / PARAMETERS).write_text(json.dumps(dict(parameters or {}), indent=2, default=str))
    return folder


def read(folder: str | Path) -> tuple[dict[str, float], dict[str, object]]:
    """Returns the metrics and parameters of a report; both empty where `folder` holds none."""
    found = []
    for name in (METRICS, PARAMETERS):
        path = Path(folder) / name
        found.append(json.loads(path.read_text()) if path.is_file() else {})
    return found[0], found[1]
