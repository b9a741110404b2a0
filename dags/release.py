"""The Airflow DAG `release`: follows the alias `champion` that a person moves in MLflow, or a form."""

from datetime import timedelta

from airflow.sdk import DAG, Asset, AssetWatcher, Param

from contract import programs
from contract.environment import manifests_dir
from dags.operators.release import ReleaseOperator
from dags.triggers.champion import ChampionMoved

DOC = """
### Release

Starts by itself when somebody moves the alias `champion` of a model in MLflow, and by hand from its form.
**promote** makes a version the champion; **rollback** brings back the champion before it; **reconcile** makes
the model server serve what the registry says. Either way the server is asked whether it serves the version;
if it does not, everything is put back and the task fails with the reason.

It is safe to run twice: what is already served stays as it is.
"""

models = sorted(path.stem for path in manifests_dir().glob("*.json"))
champions = Asset(
    name="mlflow_champions",
    uri="mlflow://registered-models/champion",
    group="model",
    watchers=[AssetWatcher(name="champion_moved", trigger=ChampionMoved())],
)

with DAG(
    dag_id="release",
    description="Promotes, rolls back or reconciles, and makes the model server follow",
    doc_md=DOC,
    schedule=[champions],
    catchup=False,
    max_active_runs=1,
    tags=["slipway", "release"],
    params={
        "model": Param(
            models[0] if len(models) == 1 else None,  # of several, a person names the one that is meant
            type=["null", "string"],
            examples=models,
            title="Model",
            description="A registered model, named after its pipeline; empty to reconcile all of them",
        ),
        "action": Param(programs.PROMOTE, type="string", enum=list(programs.ACTIONS), title="Action"),
        "version": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            title="Version",
            description="The version to promote; empty otherwise",
        ),
    },
):
    ReleaseOperator(
        task_id="reconcile",
        inlets=[champions],
        retries=2,
        retry_delay=timedelta(seconds=5),
        execution_timeout=timedelta(minutes=15),
        doc_md="Moves the alias `champion`, if it was not moved already, and brings the model server in line with it.",
    )
