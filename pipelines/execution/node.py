"""Runs one node of one run and leaves its result in the run's folder.

    python -m pipelines.execution.node --pipeline digits --run-id RUN --node train

Exit code: 0 succeeded, 99 refused, 65 bad data, 78 bad settings, 75 try again, 1 anything else.
"""

import logging
import os
import signal
import sys
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

from contract import environment, errors, exit_codes, programs
from contract.addresses import no_proxy, tracking_uri
from contract.errors import Cancelled, cancel
from contract.run_folder import FAILED, REFUSED, SUCCEEDED, NodeResult, RunFolder
from pipelines.definition import nodes as graph
from pipelines.execution.exclusive import exclusive

os.environ.update(environment.for_tensorflow())

logger = logging.getLogger("pipelines.execution.node")  # not __name__: as a program, that is "__main__"


def _explained(error: BaseException) -> errors.Failure:
    failure = errors.explain(error, tracking_uri())
    logger.error("%s", failure.message, exc_info=None if failure.explained else error)
    return failure


class Attempt:
    """One attempt at a node: what it came to is a `NodeResult` and an exit code, whatever happens.

    Args:
        folder: Of the run.
        node: Id of a TFX node, or `prepare` or `close`.
        during: Entered while the node runs, and left before its result is kept.
    """

    def __init__(
        self, folder: RunFolder, node: str, during: AbstractContextManager[None] | None = None
    ) -> None:
        self.folder, self.node = folder, node
        self.during = during or nullcontext()
        self.url = ""

    def run(self) -> int:
        """Runs the node, keeps its result, says how it ended; returns the exit code.

        While another attempt at the node runs, it waits; stopped then, it leaves no result of its own. What is too old
        to be kept is removed after the run.
        """
        try:
            with exclusive(self.folder, self.node):
                code = self._attempt()
        except Cancelled as error:
            return _explained(error).exit_code
        if self.node == graph.CLOSE:
            from pipelines.retention import after_run

            after_run.collect(self.folder.pipeline)
        return code

    def _attempt(self) -> int:
        started = time.monotonic()
        logger.info("Node %s of run %s", self.node, self.folder.run_id)
        try:
            with self.during:
                result, code = self._run(), 0
        except (Exception, Cancelled) as error:
            failure = _explained(error)
            result, code = NodeResult(FAILED, failure.message, self.url), failure.exit_code
        result = replace(result, seconds=round(time.monotonic() - started, 2))
        self.folder.write_result(self.node, result)
        if result.state == REFUSED:
            code = exit_codes.REFUSED
        cached = f", cached from run {result.cached_from}" if result.cached else ""
        why = f": {result.reason}" if result.state == REFUSED else ""
        logger.info("Node %s %s in %.1f s%s%s", self.node, result.state, result.seconds, cached, why)
        if result.mlflow_run_url:
            logger.info("MLflow: %s", result.mlflow_run_url)
        return code

    def _run(self) -> NodeResult:
        # Imported here: a bad argument should not cost the time that TFX takes to import.
        if self.node == graph.PREPARE:
            from pipelines.runs import prepare, resume

            page = prepare.run(self.folder)
            resume.reopen(self.folder)
            return NodeResult(SUCCEEDED, mlflow_run_url=page)
        if self.node == graph.CLOSE:
            from pipelines.runs import close

            return NodeResult(SUCCEEDED, mlflow_run_url=close.run(self.folder))
        from pipelines.execution.tracked_node import TrackedNode

        tracked = TrackedNode(self.folder, self.node)
        self.url = tracked.url
        return tracked.run()


def run(pipeline: str, run_id: str, node: str) -> int:
    """Runs one node in this process; returns the exit code.

    Raises:
        SettingsError: If the run id could not be one.
    """
    if node not in graph.TAKE_GPU:
        os.environ.update(environment.WITHOUT_GPU)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, cancel)
    try:
        return Attempt(RunFolder.here(pipeline, run_id), node).run()
    except OSError as error:  # of the run's folder, which takes no result then
        return _explained(error).exit_code


def main() -> int:
    """Is the entry point of the command line."""
    asked = programs.node_request()
    environment.configure_logs()
    os.environ.update(no_proxy())
    return run(asked.pipeline, asked.run_id, asked.node)


if __name__ == "__main__":
    sys.exit(main())
