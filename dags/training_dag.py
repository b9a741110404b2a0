"""Builds an Airflow DAG from a manifest: tasks, edges, trigger form, schedule, documentation."""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import (
    DAG,
    Asset,
    AssetOrTimeSchedule,
    AssetWatcher,
    BaseOperator,
    CronTriggerTimetable,
    Param,
    TaskGroup,
    TriggerRule,
)
from airflow.sdk.exceptions import AirflowTimetableInvalid, ParamValidationError

from contract import manifest as manifests
from contract.manifest import Manifest, ManifestError, Node
from dags.operators.approval import PromotionApproval
from dags.operators.node import CloseOperator, NodeOperator, PrepareOperator
from dags.triggers.arrival import SpanArrived

NODE_OPERATORS = {"prepare": PrepareOperator, "component": NodeOperator, "close": CloseOperator}
DEFAULT_ARGS = {
    "owner": "slipway",
    "retry_exponential_backoff": 2,
    "max_retry_delay": timedelta(minutes=10),
}


@dataclass(frozen=True)
class Parsed:
    """The DAGs of a folder of manifests, and a sentence for each manifest that none could be built from."""

    dags: tuple[DAG, ...]
    errors: tuple[str, ...]


def parse_folder(folder: Path, kind: str, dag_id: str | None = None) -> Parsed:
    """Builds the DAGs of one kind; a broken manifest does not take the others with it.

    Args:
        folder: Of the manifests.
        kind: Of the DAGs.
        dag_id: Of the only DAG that is wanted; all without.
    """
    dags: dict[str, DAG] = {}
    errors: list[str] = []
    for path in sorted(folder.glob("*.json")):
        try:
            manifest = manifests.read(path)
            if manifest.kind != kind or dag_id not in (None, manifest.dag_id):
                continue
            if manifest.dag_id in dags:
                raise ManifestError(f"{path}: dag_id must be unique, and {manifest.dag_id!r} is taken.")
            dags[manifest.dag_id] = build_valid_dag(manifest, path)
        except ManifestError as error:
            errors.append(str(error))
    return Parsed(tuple(dags.values()), tuple(errors))


def build_valid_dag(manifest: Manifest, path: Path) -> DAG:
    """Builds the DAG of a manifest and has Airflow check it.

    Args:
        manifest: What to build.
        path: Where it was read.

    Raises:
        ManifestError: If Airflow does not accept what it says.
    """
    try:
        dag = build_dag(manifest)
        dag.validate()
    except Exception as error:
        raise ManifestError(
            f"{path}: Airflow does not accept it: {error} Correct the pipeline's configuration and write it "
            "anew with `slipway compile`."
        ) from error
    return dag


def build_dag(manifest: Manifest) -> DAG:
    """Builds the DAG of a manifest.

    There is no start date: with one, Airflow would run the last missed slot of the schedule at once.
    """
    with DAG(
        dag_id=manifest.dag_id,
        description=f"Trains, checks and releases the model {manifest.pipeline}",
        doc_md=manifest.description,
        schedule=_schedule(manifest),
        catchup=False,
        max_active_runs=manifest.max_active_runs,
        default_args=DEFAULT_ARGS,
        tags=["slipway", "training"],
        # Airflow would otherwise take it for a DAG of every file that builds it.
        auto_register=False,
    ) as dag:
        tasks = _tasks(manifest)
        _set_edges(manifest, tasks)
    _set_params(dag, manifest)
    return dag


def _schedule(manifest: Manifest) -> AssetOrTimeSchedule | CronTriggerTimetable | list[Asset] | None:
    timetable = _timetable(manifest)
    if manifest.arrivals is None:
        return timetable
    arrival = SpanArrived(manifest.pipeline, **manifest.arrivals.model_dump())
    spans = Asset(
        name=f"spans_of_{manifest.pipeline}",
        uri=f"slipway://inbox/{manifest.pipeline}",
        group="data",
        watchers=[AssetWatcher(name=f"span_of_{manifest.pipeline}", trigger=arrival)],
    )
    return AssetOrTimeSchedule(timetable=timetable, assets=[spans]) if timetable else [spans]


def _timetable(manifest: Manifest) -> CronTriggerTimetable | None:
    if manifest.schedule is None:
        return None
    # Without the last argument, a DAG that is new within a tenth of the interval after a slot runs at once.
    timetable = CronTriggerTimetable(
        manifest.schedule, timezone=manifest.timezone, run_immediately=timedelta(0)
    )
    try:
        timetable.validate()
    except AirflowTimetableInvalid as error:
        raise ManifestError(
            f"schedule must be a cron expression or null, got {manifest.schedule!r}: {error}"
        ) from error
    return timetable


def _set_params(dag: DAG, manifest: Manifest) -> None:
    """Gives the DAG its trigger form. Last: each task would take a deep copy, and only the run asks for it."""
    params = {name: Param(**schema) for name, schema in manifest.params.items()}
    try:
        # Airflow makes a ParamsDict of them, and checks the defaults of a DAG with a schedule.
        dag.params = params  # type: ignore[assignment]
        if manifest.schedule is None:
            dag.params.validate()
    except (ValueError, ParamValidationError) as error:
        raise ManifestError(_broken_default(params) or str(error)) from error


def _broken_default(params: Mapping[str, Param]) -> str:
    for name, param in params.items():
        try:
            param.resolve()
        except ParamValidationError as error:
            why = str(error).partition("\n")[0]
            return f"params[{name!r}].default must satisfy its own schema: {why}"
    return ""


def _tasks(manifest: Manifest) -> dict[str, BaseOperator]:
    groups = {
        group.id: TaskGroup(
            group.id, group_display_name=group.title, tooltip=group.doc, prefix_group_id=False
        )
        for group in manifest.groups
    }
    tasks = {}
    for node in manifest.nodes:
        with groups[node.group] if node.group else nullcontext():
            tasks[node.id] = _task(manifest, node)
    return tasks


def _task(manifest: Manifest, node: Node) -> BaseOperator:
    common: dict[str, Any] = {
        "task_id": node.id,
        "pipeline": manifest.pipeline,
        "pool": node.pool,
        "retries": node.retries,
        "retry_delay": timedelta(seconds=node.retry_delay_s),
        "trigger_rule": _trigger_rule(manifest, node),
        "doc_md": node.doc,
    }
    limit = timedelta(seconds=node.timeout_s)
    if node.kind == "approval":
        return PromotionApproval(
            evidence=node.upstream[0],
            response_timeout=limit,
            schedule=manifest.schedule,
            timezone=manifest.timezone,
            **common,
        )
    return NODE_OPERATORS[node.kind](execution_timeout=limit, **common)


def _trigger_rule(manifest: Manifest, node: Node) -> TriggerRule:
    # An approval is skipped where promotion is automatic, and what follows must run all the same.
    approvals = {approval.id for approval in manifest.of_kind("approval")}
    if approvals.intersection(node.upstream):
        return TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS
    return TriggerRule.ALL_SUCCESS


def _set_edges(manifest: Manifest, tasks: dict[str, BaseOperator]) -> None:
    for node in manifest.nodes:
        tasks[node.id].set_upstream([tasks[upstream] for upstream in node.upstream])
    (prepare,), (close,) = manifest.of_kind("prepare"), manifest.of_kind("close")
    # A teardown runs whatever happened and leaves the state of the run to the other tasks.
    tasks[close.id].as_teardown(setups=tasks[prepare.id])
