"""Runs one node of a pipeline, and the two that open and close a run."""

from typing import Any
from urllib.parse import quote

from airflow.sdk.configuration import conf

from dags.operators.exit_codes import raise_unless_succeeded
from dags.operators.links import MlflowRunLink
from dags.operators.module import ModuleOperator
from dags.run_folder import RunFolder


class NodeOperator(ModuleOperator):
    """Runs the node with this task's id; the result it leaves becomes the task's XCom.

    Args:
        pipeline: The pipeline that the node belongs to.
    """

    operator_extra_links = (MlflowRunLink(),)
    mlflow_run_url: str | None = None

    def __init__(self, *, pipeline: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pipeline = pipeline

    def execute(self, context: Any) -> dict[str, Any]:
        """Runs the node and maps its end to Airflow's."""
        run_id = context["run_id"]
        folder = RunFolder.of(self.pipeline, run_id)
        folder.forget(self.task_id)
        self.before(folder, context)
        code = self.run_module(
            "pipelines.node", ["--pipeline", self.pipeline, "--run-id", run_id, "--node", self.task_id]
        )
        result = folder.result(self.task_id)
        self.mlflow_run_url = result.get("mlflow_run_url")
        raise_unless_succeeded(
            code, what=self.task_id, reason=result.get("reason") or self._silence(folder, context)
        )
        self.log.info("%s succeeded: %s", self.task_id, result.get("reason") or "no remarks")
        return result

    def before(self, folder: RunFolder, context: Any) -> None:
        """What to leave in the run's folder before the node starts: nothing, for most."""

    def _silence(self, folder: RunFolder, context: Any) -> str:
        return (
            f"it left no reason in {folder.result_file(self.task_id)}. "
            f"Its last words are above, in the log at {context['ti'].log_url}."
        )


class PrepareOperator(NodeOperator):
    """Hands the values of the trigger form to the ML side, which checks them and opens the run."""

    def before(self, folder: RunFolder, context: Any) -> None:
        """Writes `request.json`.

        Airflow checks the fields it knows and lets any other key of a trigger's conf pass; those go along,
        for the ML side to reject by name.
        """
        dag_id, run_id = context["ti"].dag_id, context["run_id"]
        folder.write(
            "request.json",
            {
                "values": {**(context["dag_run"].conf or {}), **context["params"]},
                "dag_id": dag_id,
                "run_id": run_id,
                "dag_run_url": dag_run_url(dag_id, run_id),
                "try_number": context["ti"].try_number,
            },
        )


class CloseOperator(NodeOperator):
    """Tells the ML side how each task of the run ended, so that it can close the run."""

    def before(self, folder: RunFolder, context: Any) -> None:
        """Writes `outcome.json`."""
        ti = context["ti"]
        states = ti.get_task_states(dag_id=ti.dag_id, run_ids=[ti.run_id])
        folder.write("outcome.json", {"tasks": states.get(ti.run_id, {})})


def dag_run_url(dag_id: str, run_id: str) -> str:
    """The page of a DAG run in Airflow's UI."""
    base = conf.get("api", "base_url", fallback=None) or "http://localhost:8080"
    return f"{base.rstrip('/')}/dags/{quote(dag_id)}/runs/{quote(run_id)}"
