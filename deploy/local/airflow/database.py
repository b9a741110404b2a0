"""Airflow's database on one machine: whether its tables are those of the installed Airflow, and making them so."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from importlib.metadata import distributions

from contract.errors import UnavailableError
from deploy.local.airflow.environment import database_path
from deploy.local.settings import Stack


def needs_migration(stack: Stack) -> bool:
    """Returns whether the database is missing or was last migrated by another version: migrating costs seconds."""
    stamp = stack.airflow / "migrated-by"
    migrated = stamp.exists() and database_path(stack).exists()
    return not migrated or stamp.read_text() != airflow_version(stack)


def migrate(stack: Stack, environment: Mapping[str, str]) -> None:
    """Creates or updates the tables.

    Raises:
        UnavailableError: Airflow says no; the message has the end of what it printed.
    """
    database, unfinished = database_path(stack), database_path(stack).with_suffix(".unfinished")
    # Tables that an interrupted start made in part would stop every later migration.
    unfinished.unlink(missing_ok=True)
    target = database if database.exists() else unfinished
    done = subprocess.run(
        [str(stack.airflow_bin / "airflow"), "db", "migrate"],
        env={**os.environ, **environment, "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{target}"},
        cwd=stack.project,
        capture_output=True,
        text=True,
        check=False,
    )
    log = stack.logs / "airflow-db-migrate.log"
    log.write_text(done.stdout + done.stderr)
    if done.returncode != 0:
        last = "\n".join(log.read_text().splitlines()[-10:])
        raise UnavailableError(
            f"'airflow db migrate' ended with exit code {done.returncode}:\n{last}\nAll of it is in {log}."
        )
    target.replace(database)
    (stack.airflow / "migrated-by").write_text(airflow_version(stack))


def airflow_version(stack: Stack) -> str:
    """Returns the version in the Airflow environment, read without importing or starting it."""
    packages = [str(path) for path in (stack.airflow_bin.parent / "lib").glob("python3*/site-packages")]
    found = next(iter(distributions(name="apache-airflow", path=packages)), None)
    return found.version if found else "unknown"
