"""Buttons on a task's page that lead out of Airflow."""

from typing import Any

from airflow.sdk import BaseOperatorLink


class MlflowRunLink(BaseOperatorLink):
    """Leads to the MLflow run of a node.

    Airflow asks once, in the task's process, after the task has ended in whatever way, and stores the answer.
    """

    name = "MLflow run"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """The address that the operator noted while it ran; empty if the node named none."""
        return getattr(operator, "mlflow_run_url", None) or ""
