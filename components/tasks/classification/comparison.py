"""Whether two classifiers answer the same question."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from components.tasks.classification.target import TargetSettings
from contract.errors import SHOWN_FAILURES

CLASSES = "slipway.classes"  # tag of a registered version: JSON list, in the order of the outputs


def outputs(target: TargetSettings) -> dict[str, tuple[str, list[int | None]]]:
    """Returns dtype and shape of each output of a served classifier; `None` for the batch."""
    return {"probabilities": ("float32", [None, len(target.classes)]), "label": ("string", [None])}


def tags(target: TargetSettings) -> dict[str, str]:
    """Returns the tag that names the classes."""
    return {CLASSES: json.dumps(target.classes)}


def difference(outputs: Mapping[str, Sequence[Any]], tags: Mapping[str, str], target: TargetSettings) -> str:
    """Says which classes of a version are others; nothing where all are the same, or nobody noted them."""
    _, shape = outputs.get("probabilities", ("", []))
    known = shape[-1] if shape else None
    if known != len(target.classes):
        return f"it tells {known} classes apart, this run {len(target.classes)}"
    try:
        registered = json.loads(tags.get(CLASSES, "null"))
    except ValueError as error:
        return f"its tag {CLASSES} is no JSON list: {error}"
    if registered is None or registered == target.classes:
        return ""
    if not isinstance(registered, list):
        return f"its tag {CLASSES} is no JSON list: {registered!r}"
    others = [
        f"{position}: {theirs!r}, here {ours!r}"
        for position, (theirs, ours) in enumerate(zip(registered, target.classes, strict=False))
        if theirs != ours
    ]
    more = f" and {len(others) - SHOWN_FAILURES} more" if len(others) > SHOWN_FAILURES else ""
    return f"its classes are others ({', '.join(others[:SHOWN_FAILURES])}{more})"
