"""Shows broken manifests in Airflow's list of DAG import errors.

A file that raises loses all its DAGs, so the complaint has a file of its own: the DAGs of the other
manifests, in `train.py`, stay.
"""

from contract.environment import manifests_dir
from contract.manifest import TRAINING, ManifestError
from dags.training_dag import parse_folder

if errors := parse_folder(manifests_dir(), TRAINING).errors:
    raise ManifestError("\n".join(errors))
