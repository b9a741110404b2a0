"""What there is to say of a model that a run has made: the page of its version, and what an approval is asked on."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from contract.run_folder import RUN, NodeResult, RunFolder
from pipelines.definition.nodes import COMPRESS, INFRA_VALIDATE, JUDGES, NODES
from serving.registry.registry import Registry

SHOWN_CLASSES = 20
TAG = "slipway.measured"  # of a version: what `measured` returned, as JSON
MEASURED = (
    ("Size, float SavedModel", COMPRESS, "float_saved_model_bytes", "{:,.0f} bytes"),
    ("Size, compressed SavedModel", COMPRESS, "compressed_saved_model_bytes", "{:,.0f} bytes"),
    ("Size, int8 TFLite", COMPRESS, "int8_tflite_bytes", "{:,.0f} bytes"),
    ("Sparsity", COMPRESS, "sparsity", "{:.4f}"),
    ("Latency p50", INFRA_VALIDATE, "latency_p50_ms", "{:.1f} ms"),
    ("Latency p99", INFRA_VALIDATE, "latency_p99_ms", "{:.1f} ms"),
)


def text(folder: RunFolder, champion: Mapping[str, float]) -> str:
    """Returns Markdown: what the model was trained on, how good, large and fast it is, beside what is live.

    Args:
        folder: Of the run, after everything before `register` has succeeded.
        champion: What `measured` returned for the live version.
    """
    prepared = folder.require(RUN)
    data, source = prepared["data_digest"][:12], prepared["config"]["data"]
    return "\n".join(
        [
            f"Trained by the run `{folder.run_id}` on the data `{data}` ({source['path'] or source['source']}), with "
            f"the code `{prepared['code_version'][:12]}`. {_opponent_then(prepared)}",
            "",
            *figures(folder, champion),
        ]
    )


def measured(folder: RunFolder) -> dict[str, float]:
    """Returns sizes in bytes, sparsity and latencies in milliseconds, by `<node>.<metric>`."""
    results = folder.results()
    found = {
        f"{node}.{metric}": (results[node].metrics or {}).get(metric)
        for _, node, metric, _ in MEASURED
        if node in results
    }
    return {name: value for name, value in found.items() if value is not None}


def measured_of(registry: Registry, model: str, version: int | None) -> dict[str, float]:
    """Returns what was measured of a registered version; empty where there is none, or nobody noted it."""
    noted = (each.tags.get(TAG) for each in registry.versions(model) if int(each.version) == version)
    return dict(json.loads(next(noted, None) or "{}"))


def figures(folder: RunFolder, champion: Mapping[str, float]) -> Iterator[str]:
    """Yields the tables of a model beside what is live, and links to the pages of the nodes that measured them.

    Args:
        folder: Of the run.
        champion: What `measured` returned for the live version; empty where nothing is live or nobody noted it.
    """
    prepared, results = folder.require(RUN), folder.results()
    # The last one that ran judged the candidate itself.
    judge = next((node for node in reversed(JUDGES) if node in results), "")
    metrics = (results[judge].metrics or {}) if judge else {}
    yield from _accuracies(metrics, prepared["config"]["data"]["classes"])
    yield from _measured(measured(folder), champion)
    yield from _links(results)


def opponent(prepared: Mapping[str, Any]) -> str:
    """Returns what the model was compared with."""
    live, compared_with = prepared["live_version"], prepared["compared_with"]
    if live is None:
        return "Nothing is live yet."
    if compared_with is None:
        return f"Version {live} is live; this one was compared with nothing."
    return f"Version {live} is live; this one was compared with version {compared_with}."


def _opponent_then(prepared: Mapping[str, Any]) -> str:
    live, compared_with = prepared["live_version"], prepared["compared_with"]
    if live is None:
        return "Nothing was live before it."
    beside = f"version {compared_with}" if compared_with else "nothing"
    return f"Version {live} was live then; this one was compared with {beside}."


def _accuracies(metrics: Mapping[str, float], classes: Sequence[str]) -> Iterator[str]:
    """Yields a table of accuracies on the split `test`; of many classes, those that lost most."""
    rows = [(name, *_pair(metrics, f"accuracy_label_{label}")) for label, name in enumerate(classes)]
    shown = rows
    if len(rows) > SHOWN_CLASSES:
        shown = sorted(rows, key=_loss)[-SHOWN_CLASSES:][::-1]
        yield f"Of {len(rows)} classes, the {SHOWN_CLASSES} that lost most:"
        yield ""
    yield "| accuracy on test | candidate | champion |"
    yield "|---|---|---|"
    yield _row("all", *_pair(metrics, "accuracy"))
    yield from (_row(*row) for row in shown)
    yield ""


def _pair(metrics: Mapping[str, float], name: str) -> tuple[float | None, float | None]:
    return metrics.get(name), metrics.get(f"baseline_{name}")


def _loss(row: tuple[str, float | None, float | None]) -> float:
    _, candidate, champion = row
    return (1.0 if champion is None else champion) - (candidate or 0.0)


def _row(name: str, *values: float | None) -> str:
    name = name.replace("|", "\\|")
    return f"| {name} | {' | '.join('' if value is None else f'{value:.4f}' for value in values)} |"


def _measured(candidate: Mapping[str, float], champion: Mapping[str, float]) -> Iterator[str]:
    yield "| measured | candidate | champion |"
    yield "|---|---|---|"
    for title, node, metric, form in MEASURED:
        key = f"{node}.{metric}"
        if key in candidate:
            beside = form.format(champion[key]) if key in champion else ""
            yield f"| {title} | {form.format(candidate[key])} | {beside} |"
    yield ""


def _links(results: Mapping[str, NodeResult]) -> Iterator[str]:
    for spec in NODES:
        if spec.page and spec.id in results and results[spec.id].mlflow_run_url:
            yield f"- [{spec.id}]({results[spec.id].mlflow_run_url}): {spec.page}"
    yield ""
