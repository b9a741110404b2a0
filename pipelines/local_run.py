"""The whole pipeline in this process, node after node: the same nodes, records and results as through Airflow."""

import datetime
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from pipelines import close, failures, prepare
from pipelines.image_pipeline import IMPORTS
from pipelines.launch import from_json, node_ids
from pipelines.node import Attempt
from pipelines.run_folder import RunFolder

Report = Callable[[str, str], None]

STATES = {0: "success", failures.REFUSED: "skipped"}


def new_run_id() -> str:
    """Returns a run id that no other run has."""
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    return f"local__{now}_{secrets.token_hex(3)}"


def _steps(folder: RunFolder) -> list[str]:
    representation = from_json(folder.require(prepare.REPRESENTATION))
    return [node for node in node_ids(representation) if node not in IMPORTS]


def _waits_for_approval(folder: RunFolder, node: str) -> bool:
    return node == "push" and folder.require(prepare.RUN)["config"]["promotion"] == "approval"


def run(
    pipeline: str, values: Mapping[str, Any], report: Report, run_id: str | None = None
) -> dict[str, Any]:
    """Runs every node and returns the summary.

    Args:
        pipeline: Name.
        values: What to set on top of the configuration, by dotted key.
        report: Called with a node and its Airflow state as the run goes on.
        run_id: Of the new run; made up where none is given.
    """
    folder = RunFolder.here(pipeline, run_id or new_run_id())
    folder.write(prepare.REQUEST, {"values": dict(values), "run_id": folder.run_id})
    tasks: dict[str, str] = {}

    def attempt(node: str) -> bool:
        report(node, "running")
        tasks[node] = STATES.get(Attempt(folder, node).run(), "failed")
        report(node, tasks[node])
        return tasks[node] == "success"

    if not attempt("prepare"):
        reason = folder.results()["prepare"].reason
        return {"pipeline": pipeline, "run_id": folder.run_id, "state": "failed", "reason": reason}
    for node in _steps(folder):
        if _waits_for_approval(folder, node):
            report(node, "awaiting approval")
            break
        if not attempt(node):
            break
    folder.write(close.OUTCOME, {"tasks": tasks})
    attempt("close")
    return folder.read(close.SUMMARY)
