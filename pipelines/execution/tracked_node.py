"""Runs one TFX node under its MLflow run: opened before, fed while it works, closed in the right state."""

import json
import logging
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from components import plugins, runtime
from components.evaluation.verdict import Parent
from components.storage import listing
from components.tasks.interface import Headline
from contract.errors import Cancelled, SettingsError, explain
from contract.run_folder import FAILED, PIPELINE_IR, REFUSED, RUN, SUCCEEDED, NodeResult, RunFolder
from pipelines.definition import config as configuration
from pipelines.definition.config import PipelineConfig
from pipelines.definition.nodes import (
    APPROVE,
    EVALUATE,
    EVALUATE_COMPRESSED,
    INGEST,
    PUSH,
    REGISTER,
    VALIDATE,
)
from pipelines.lineage import launch, metadata
from pipelines.lineage.code_digest import Code
from pipelines.runs import data_schema, resume
from pipelines.runs.warm_start import trained_by
from pipelines.tracking import approval, model_card, node_report
from pipelines.tracking.metric_buffer import MetricBuffer
from pipelines.tracking.tracker import Tracker
from pipelines.tracking.trials import Trials
from serving.registry.registry import Registry

logger = logging.getLogger(__name__)

REPORT = "report"


def parent_judged_by(evaluated: NodeResult | None, metric: str, max_drop: float) -> Parent:
    """Reads how a compressed model's parent fared in this run; only an evaluation that accepted it counts.

    Args:
        evaluated: How `evaluate` ended.
        metric: What the two are compared by.
        max_drop: How far the compressed model may lie behind.
    """
    accepted = evaluated.metrics if evaluated and evaluated.state == SUCCEEDED else None
    return Parent(metric, (accepted or {}).get(metric), max_drop)


class TrackedNode:
    """One attempt at one node.

    Args:
        folder: Of the run, prepared.
        node: Id.

    Raises:
        SettingsError: If the run was not prepared or was collected since, has no such node, something before the node
            has not succeeded, the data would be read in another way than the run was prepared for, or the promotion
            waits for a person.
    """

    def __init__(self, folder: RunFolder, node: str) -> None:
        self.folder, self.node = folder, node
        self.prepared: Mapping[str, Any] = folder.require(RUN)
        folder.check_not_collected()
        resume.check_stack(folder, self.prepared)
        self.pipeline_ir = launch.from_json(folder.require(PIPELINE_IR))
        if node not in launch.node_ids(self.pipeline_ir):
            known = ", ".join(launch.node_ids(self.pipeline_ir))
            raise SettingsError(f"Run {folder.run_id} has no node {node!r}. It has: {known}.")
        resume.check_current(folder, node)
        if node == INGEST:
            trained_by.check_reading(folder, self.prepared)
        if node == PUSH and approval.is_missing(folder):
            raise SettingsError(
                f"Expected a person's approval of the version that run {folder.run_id} has registered last, and there "
                f"is none. Clear `{APPROVE}`, which asks; or choose a version with `slipway promote`."
            )
        if node == REGISTER:
            folder.forget_result(APPROVE)  # what was answered was about what was registered then
        self.tracker = Tracker(self.prepared["tracking_uri"], folder.pipeline)
        self.child = self.tracker.open(
            folder.run_id, node, parent=self.prepared["mlflow_run"], tags=self.prepared["tags"]
        )
        self.url = self.tracker.url(self.child)
        self.metric_buffer = MetricBuffer(
            lambda metrics, step: self.tracker.metrics(self.child, metrics, step),
            lambda name: self.tracker.points(self.child, name),
        )

    def run(self) -> NodeResult:
        """Runs the node and logs it; returns `succeeded` or `refused`.

        Raises:
            Exception: Whatever the component or MLflow raises; the MLflow run is FAILED then.
        """
        try:
            with self.folder.kept():
                with runtime.running(self._context()):
                    connection = metadata.connection(self.folder.pipeline_dir)
                    execution = launch.launch(self.pipeline_ir, self.node, connection)
                self.metric_buffer.flush()
                self._name_code(execution)
                report = self.folder.work_dir(self.node) / REPORT
                listings = self.folder.pipeline_dir / listing.FOLDER
                outcome = node_report.collect(execution, report, self.config, listings, self._parent())
                node_report.log(self.tracker, self.child, execution, outcome, report, listings)
                if self.node == VALIDATE:
                    data_schema.accept_first(self.folder, execution.inputs["schema"][0].uri)
        except (Exception, Cancelled) as error:
            self._close_failed(error)
            raise
        state = SUCCEEDED if outcome.refusal is None else REFUSED
        reason = outcome.refusal or ""
        self.tracker.close(self.child, "FINISHED", state=state, reason=reason)
        self.folder.clear_work(self.node)
        body = approval.body(self.folder, outcome.metrics, self.champion) if self.node == REGISTER else ""
        return NodeResult(
            state,
            reason,
            mlflow_run_url=self.url,
            cached=bool(execution.cached_from),
            cached_from=execution.cached_from,
            metrics=outcome.metrics,
            approval_body=body,
            already_live=outcome.already_live,
        )

    def _name_code(self, execution: launch.Execution) -> None:
        ran = Code(*(str(execution.parameters.get(name, "")) for name in (launch.CODE, launch.LIBRARIES)))
        self.prepared = trained_by.what_ran(self.folder, self.prepared, self.node, ran, self.tracker)

    def _parent(self) -> Parent | None:
        if self.node != EVALUATE_COMPRESSED:
            return None
        metric = plugins.load(self.config.task_module("headline"), Headline).PRIMARY
        max_drop = self.prepared["config"]["compress"][f"max_{metric}_drop"]
        return parent_judged_by(self.folder.results().get(EVALUATE), metric, max_drop)

    def _context(self) -> runtime.NodeContext:
        return runtime.NodeContext(
            pipeline=self.folder.pipeline,
            run_id=self.folder.run_id,
            node=self.node,
            work_dir=self.folder.work_dir(self.node),
            tracking_run_id=self.child,
            tags={"slipway.run_id": self.folder.run_id, **self.prepared["tags"], **self._measured()},
            description=model_card.text(self.folder, self.champion) if self.node == REGISTER else "",
            wanted_by=self._wanted_by(),
            begins_with=self._begins_with(),
            observe=self.metric_buffer.add,
            trial=Trials(self.tracker, self.folder.run_id, self.node, self.child, self.prepared["tags"]).open,
        )

    @cached_property
    def config(self) -> PipelineConfig:
        """The configuration that the run was prepared with."""
        return configuration.parse(self.prepared["config"], f"the configuration of run {self.folder.run_id}")

    @cached_property
    def champion(self) -> dict[str, float]:
        """What was measured of the version that was live when the run was prepared."""
        live = self.prepared["live_version"]
        return model_card.measured_of(Registry(self.tracker.uri), self.folder.pipeline, live)

    def _measured(self) -> dict[str, str]:
        if self.node != REGISTER:
            return {}
        measured, page = model_card.measured(self.folder), model_card.report_of(self.folder)
        noted = {model_card.TAG: measured and json.dumps(measured), model_card.REPORT_TAG: page}
        return {name: value for name, value in noted.items() if value}

    def _wanted_by(self) -> str:
        """Returns who approved the run's promotion, for the version that goes live by it."""
        decision = approval.decision(self.folder)
        approved = decision.get("answer") == approval.APPROVED
        return f"{decision['by']}, who approved run {self.folder.run_id}" if approved else ""

    def _begins_with(self) -> str:
        found = self.prepared.get("warm_start")
        return f"{self.folder.pipeline} version {found['version']}" if found else ""

    def _close_failed(self, error: BaseException) -> None:
        status = "KILLED" if isinstance(error, Cancelled) else "FAILED"
        failure = explain(error, self.tracker.uri)
        try:
            report = self.folder.work_dir(self.node) / REPORT
            if report.is_dir() and any(report.iterdir()):
                self.tracker.folder(self.child, report)
            self.tracker.close(self.child, status, state=FAILED, reason=failure.message)
        except Exception as lost:
            logger.warning("MLflow could not be told of the failure: %s", lost)
