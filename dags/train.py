"""The training DAGs: one Airflow DAG for each compiled manifest of this kind.

A new pipeline is a new manifest; nothing here changes. Broken manifests are reported by `manifest_check.py`.
"""

from airflow.sdk import get_parsing_context

from contract.environment import manifests_dir
from contract.manifest import TRAINING
from dags.training_dag import parse_folder

# A task's process needs its own DAG alone, however many pipelines there are.
wanted = get_parsing_context().dag_id

for dag in parse_folder(manifests_dir(), TRAINING, wanted).dags:
    globals()[dag.dag_id] = dag
