"""The training DAGs: one Airflow DAG `train_<pipeline>` per compiled manifest.

A new pipeline is a new manifest; nothing here changes. Broken manifests are reported by `manifest_check.py`.
"""

from dags.environment import manifests_folder
from dags.training_dag import draw_all

for dag in draw_all(manifests_folder()).dags:
    globals()[dag.dag_id] = dag
