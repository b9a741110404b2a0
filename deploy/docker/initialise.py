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


def main() -> int:
    """Makes the state folders with an empty list of models, Airflow's tables, and the pool for training.

    Returns:
        The exit code.
    """
    make_folders(StateFolder.from_environment())
    name, slots, description = GPU_POOL
    try:
        _airflow("db", "migrate")
        if (
            _airflow("pools", "get", name, check=False) != 0
        ):  # one that exists keeps the slots a person gave it
            _airflow("pools", "set", name, str(slots), description)
    except subprocess.CalledProcessError as error:
        sys.stderr.write(
            f"Expected Airflow's database to be ready, and `{' '.join(error.cmd[1:])}` ended with exit code "
            f"{error.returncode}; it says why above. `docker compose ps postgres` and `docker compose logs postgres` "
            "show whether PostgreSQL runs and takes the password in secrets/. Then `docker compose up --detach "
            "--wait` again: what was made stays.\n"
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
