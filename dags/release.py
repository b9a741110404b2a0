"""The Airflow DAG `release`: promote a model version, or roll back to the one before, from a form."""

from datetime import timedelta

from airflow.sdk import DAG, Param

from dags.environment import manifests_folder
from dags.operators.release import ReleaseOperator

DOC = """
### Release

**promote** makes a version the champion; **rollback** brings back the champion before it. Either way the
model server is brought in line with the registry and asked whether it serves the version; if it does not,
everything is put back and the task fails with the reason.

It is safe to run twice: what is already served stays as it is.
"""

models = sorted(path.stem for path in manifests_folder().glob("*.json"))

with DAG(
    dag_id="release",
    description="Promotes a model version or rolls back, and makes the model server follow",
    doc_md=DOC,
    schedule=None,
    catchup=False,
    max_active_runs=1,
    tags=["slipway", "release"],
    params={
        "model": Param(
            models[0] if models else None,
            type="string",
            examples=models,
            title="Model",
            description="A registered model; models are named after their pipelines",
        ),
        "action": Param("promote", type="string", enum=["promote", "rollback"], title="Action"),
        "version": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            title="Version",
            description="The version to promote; leave it empty to roll back",
        ),
    },
):
    ReleaseOperator(
        task_id="reconcile",
        retries=0,
        execution_timeout=timedelta(minutes=15),
        doc_md="Moves the alias `champion`, then brings the model server in line with the registry.",
    )
