"""Runs DAGs for real: Airflow's own scheduling logic and task runner, in this process, on a SQLite database."""

import json
import logging
import os
import select
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

ASKING = "airflow.sdk.definitions.dag"


@dataclass
class Ran:
    """What became of a DAG run."""

    run_id: str
    state: str
    states: dict[str, str]
    xcoms: dict[tuple[str, str], Any] = field(repr=False)


class WhenAsked(logging.Handler):
    """Acts when `dag.test()` logs that it waits for a person, in its own thread, between two steps of it."""

    def __init__(self, act: Callable[[], None]) -> None:
        super().__init__()
        self.act = act

    def emit(self, record: logging.LogRecord) -> None:
        if "Human-in-the-loop" in record.msg:
            self.act()


@pytest.fixture(scope="session")
def database() -> None:
    from airflow.utils.db import initdb

    initdb()


@pytest.fixture
def answer(monkeypatch):
    """Makes the person choose an option, through the function behind Airflow's REST route."""

    def act_when_asked(act: Callable[[], None]) -> None:
        logger = logging.getLogger(ASKING)
        handler = WhenAsked(act)
        logger.addHandler(handler)
        monkeypatch.setattr(logger, "level", logging.INFO)
        handlers.append(handler)

    handlers: list[logging.Handler] = []
    yield act_when_asked
    for handler in handlers:
        logging.getLogger(ASKING).removeHandler(handler)


def give(choice: str) -> None:
    """Answers the open question of the DAG `train_tiny`."""
    import sqlalchemy
    from airflow.api_fastapi.core_api.datamodels.hitl import UpdateHITLDetailPayload
    from airflow.api_fastapi.core_api.routes.public.hitl import update_hitl_detail
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session

    with create_session() as session:
        run_id = session.scalar(
            sqlalchemy.select(TaskInstance.run_id).where(TaskInstance.state == "awaiting_input")
        )
        update_hitl_detail(
            dag_id="train_tiny",
            dag_run_id=run_id,
            task_id="approve",
            update_hitl_detail_payload=UpdateHITLDetailPayload(chosen_options=[choice], params_input={}),
            user=SimpleNamespace(get_id=lambda: "ada", get_name=lambda: "Ada"),
            session=session,
        )


def let_the_scheduler_look() -> None:
    """Does what the scheduler does every few seconds about questions that nobody answered."""
    from airflow.jobs.job import Job
    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner

    SchedulerJobRunner(job=Job()).check_awaiting_input_timeouts()


@pytest.fixture
def respond():
    """Answers now."""
    return give


@pytest.fixture
def choose(answer):
    """Makes the person choose this option as soon as they are asked."""
    return lambda choice: answer(lambda: give(choice))


@pytest.fixture
def nobody_answers(answer):
    """Leaves the question to the scheduler's check for overdue answers."""
    answer(let_the_scheduler_look)


@pytest.fixture
def question():
    """Looks up what a person was asked in a run."""

    def look_up(run_id: str) -> Any:
        import sqlalchemy
        from airflow.models.hitl import HITLDetail
        from airflow.models.taskinstance import TaskInstance
        from airflow.utils.session import create_session

        with create_session() as session:
            return session.scalar(
                sqlalchemy.select(HITLDetail).join(TaskInstance).where(TaskInstance.run_id == run_id)
            )

    return look_up


@pytest.fixture
def has_ended():
    """Waits until a process is gone; False if it still runs after ten seconds."""

    def wait(pid: int) -> bool:
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            return True
        try:
            return bool(select.select([handle], [], [], 10)[0])
        finally:
            os.close(handle)

    return wait


@pytest.fixture
def run_dag(database, ml, manifests, tiny):
    """Runs `train_tiny` or `release` to its end; `change` edits the manifest's nodes by id."""

    def run(dag_id: str = "train_tiny", conf: dict | None = None, **change: dict) -> Ran:
        for node in tiny["nodes"]:
            node.update({"retries": 0} | change.get(node["id"], {}))
        (manifests / "tiny.json").write_text(json.dumps(tiny))
        return report(draw(dag_id).test(run_conf=conf or {}))

    return run


@pytest.fixture
def clear(monkeypatch):
    """Clears these tasks of a run of `train_tiny`, and runs it to its end once more."""

    def run_again(run_id: str, *tasks: str) -> Any:
        import sqlalchemy
        from airflow.models import dagrun
        from airflow.models.taskinstance import TaskInstance, clear_task_instances
        from airflow.utils.session import create_session

        def find(*, session: Any, **arguments: Any) -> Any:
            run = session.scalar(sqlalchemy.select(dagrun.DagRun).where(dagrun.DagRun.run_id == run_id))
            run.dag = arguments["dag"]
            run.state = "running"
            session.commit()
            return run

        with create_session() as session:
            chosen = sqlalchemy.select(TaskInstance).where(
                TaskInstance.run_id == run_id, TaskInstance.task_id.in_(tasks)
            )
            clear_task_instances(list(session.scalars(chosen)), session)
        monkeypatch.setattr(dagrun, "get_or_create_dagrun", find)
        return report(draw("train_tiny").test())

    return run_again


@pytest.fixture
def run_short_dag(run_dag, tiny):
    """Runs a `train_tiny` of no more than prepare, train, evaluate and close."""
    kept = {
        node["id"]: node for node in tiny["nodes"] if node["id"] in ("prepare", "train", "evaluate", "close")
    }
    for before, node in zip(["prepare", "train", "evaluate"], list(kept.values())[1:], strict=True):
        node["upstream"] = [before]
    tiny["nodes"] = list(kept.values())
    return run_dag


def draw(dag_id: str) -> Any:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag()
    assert bag.import_errors == {}
    return bag.dags[dag_id]


def report(dag_run: Any) -> Ran:
    import sqlalchemy
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    with create_session() as session:
        rows = session.scalars(
            sqlalchemy.select(XComModel).where(
                XComModel.run_id == dag_run.run_id, XComModel.dag_id == dag_run.dag_id
            )
        )
        xcoms = {(row.task_id, row.key): XComModel.deserialize_value(row) for row in rows}
    return Ran(
        run_id=dag_run.run_id,
        state=str(dag_run.state),
        states={ti.task_id: str(ti.state) for ti in dag_run.get_task_instances()},
        xcoms=xcoms,
    )
