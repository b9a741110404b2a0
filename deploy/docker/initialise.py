"""Prepares what the services of the Compose stack find when they start; safe to repeat.

Runs in the Airflow image. Calls Airflow's command line, imports nothing of it.
"""

import subprocess
import sys
from pathlib import Path

from contract.manifest import GPU_POOL
from contract.state import StateFolder
from deploy.folders import make_folders

AIRFLOW = Path(sys.executable).with_name("airflow")


def _airflow(*arguments: str, check: bool = True) -> int:
    return subprocess.run([str(AIRFLOW), *arguments], check=check).returncode


def main() -> None:
    """Makes the state folders with an empty list of models, Airflow's tables, and the pool for training."""
    make_folders(StateFolder.from_environment())
    _airflow("db", "migrate")
    name, slots, description = GPU_POOL
    if _airflow("pools", "get", name, check=False) != 0:  # one that exists keeps the slots a person gave it
        _airflow("pools", "set", name, str(slots), description)


if __name__ == "__main__":
    main()
