"""The whole pipeline in this process, node after node: the same nodes, records and results as through Airflow."""

import datetime
import logging
import secrets
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from contract import exit_codes
from contract.run_folder import OUTCOME, REQUEST, SUMMARY, RunFolder
from pipelines.definition.nodes import APPROVE, CLOSE, PREPARE, PUSH, REGISTER
from pipelines.execution.cancellation import Cancellation
from pipelines.execution.node import Attempt
from pipelines.runs import close, resume
from pipelines.tracking import approval

logger = logging.getLogger(__name__)

OnProgress = Callable[[str, str], None]

STATES = {0: "success", exit_codes.REFUSED: "skipped"}


def new_run_id() -> str:
    """Returns a run id that no other run has."""
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    return f"local__{now}_{secrets.token_hex(3)}"


class _Walk:
    """One walk through a run, node after node, until one does not succeed.

    Args:
        folder: Of the run.
        on_progress: Called with a node and its Airflow state.
        cancellation: Cancels a node, and with it what would follow.
    """

    def __init__(self, folder: RunFolder, on_progress: OnProgress, cancellation: Cancellation | None) -> None:
        self.folder, self.on_progress = folder, on_progress
        self.cancellation = cancellation or Cancellation()
        self.tasks: dict[str, str] = {}

    def attempt(self, node: str) -> bool:
        """Runs one node; returns whether it succeeded."""
        # What ends a run is done whole: cancelled, it would leave the run open.
        during = None if node == CLOSE else self.cancellation.cancellable()
        self.on_progress(node, "running")
        self.tasks[node] = STATES.get(Attempt(self.folder, node, during).run(), "failed")
        self.on_progress(node, self.tasks[node])
        return self.tasks[node] == "success"

    def to_the_end(self, nodes: Iterable[str]) -> dict[str, Any]:
        """Runs `nodes` and closes the run; returns the summary."""
        for node in nodes:
            if node == PUSH and approval.is_missing(self.folder):
                self.on_progress(node, "awaiting approval")
                break
            if not self.attempt(node):
                break
        self.folder.write(OUTCOME, {"tasks": self.tasks})
        self.attempt(CLOSE)
        return self.folder.read(SUMMARY)

    def unprepared(self) -> dict[str, Any]:
        """Ends the MLflow run that `prepare` may have opened; returns the summary of a run that is not prepared."""
        reason = self.folder.results()[PREPARE].reason
        try:
            close.end_unprepared(self.folder, reason)
        except Exception as lost:
            logger.warning("MLflow could not be told of the failure: %s", lost)
        return {
            "pipeline": self.folder.pipeline,
            "run_id": self.folder.run_id,
            "state": "failed",
            "reason": reason,
        }


def run(
    pipeline: str,
    values: Mapping[str, Any],
    on_progress: OnProgress,
    cancellation: Cancellation | None = None,
    run_id: str | None = None,
) -> dict[str, Any]:
    """Runs every node and returns the summary.

    Args:
        pipeline: Name.
        values: What to set on top of the configuration, by dotted key.
        on_progress: Called with a node and its Airflow state as the run goes on.
        cancellation: Stops the run; it is closed all the same.
        run_id: Of the new run; made up where none is given.
    """
    folder = RunFolder.here(pipeline, run_id or new_run_id())
    folder.write(REQUEST, {"values": dict(values), "run_id": folder.run_id, "done": []})
    walk = _Walk(folder, on_progress, cancellation)
    return walk.to_the_end(resume.upstream(folder)) if walk.attempt(PREPARE) else walk.unprepared()


def go_on(
    folder: RunFolder, plan: resume.Plan, on_progress: OnProgress, cancellation: Cancellation | None = None
) -> dict[str, Any]:
    """Resumes a run and returns the summary.

    Args:
        folder: Of the run.
        plan: What to run again.
        on_progress: Called with a node and its Airflow state as the run goes on.
        cancellation: Stops the run; it is closed all the same.
    """
    done = [*plan.used, *([APPROVE] if REGISTER in plan.used else [])]
    folder.write(REQUEST, {**folder.read(REQUEST), "done": done})
    for node in plan.again:
        folder.forget_result(node)
    walk = _Walk(folder, on_progress, cancellation)
    walk.tasks = dict.fromkeys(plan.used, "success")
    return walk.to_the_end(plan.again) if walk.attempt(PREPARE) else walk.unprepared()
