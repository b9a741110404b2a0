"""What a person reads who is asked to approve a promotion."""

from collections.abc import Mapping

from pipelines.run_folder import RUN, RunFolder

ROWS = (
    ("Accuracy on test, float model", "evaluate", "accuracy"),
    ("The same of the live model", "evaluate", "baseline_accuracy"),
    ("Accuracy on test, compressed model", "evaluate_compressed", "accuracy"),
    ("Sparsity", "compress", "sparsity"),
    ("int8 TFLite by float TFLite, gzip", "compress", "tflite_gzip_ratio"),
    ("Latency p99, ms", "infra_validate", "latency_p99_ms"),
)


def body(folder: RunFolder, registered: Mapping[str, float]) -> str:
    """Returns Markdown: the version in question and its figures.

    Args:
        folder: Of the run.
        registered: Metrics of `register`, with `version`.
    """
    results = folder.results()
    live = folder.require(RUN)["live_version"]
    lines = [
        f"**{folder.pipeline} version {int(registered['version'])}** is registered as challenger. "
        + (f"Version {live} is live." if live else "Nothing is live yet."),
        "",
        "| figure | value |",
        "|---|---|",
    ]
    for title, node, metric in ROWS:
        value = (results[node].metrics or {}).get(metric) if node in results else None
        if value is not None:
            lines.append(f"| {title} | {value:.4f} |")
    return "\n".join(lines)
