"""Shows broken manifests in Airflow's list of DAG import errors.

A file that raises loses all its DAGs, so the complaint has a file of its own: the DAGs of the other
manifests, in `train.py`, stay.
"""

from dags.environment import manifests_folder
from dags.manifest_rules import ManifestError
from dags.training_dag import draw_all

if problems := draw_all(manifests_folder()).problems:
    raise ManifestError("\n".join(problems))
