"""What Airflow needs once: tables in its database, and the pool for tasks that use a GPU."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
from collections.abc import Mapping
from importlib.metadata import distributions
from typing import Any

from contract.addresses import HOST
from contract.errors import UnavailableError
from contract.manifest import GPU_POOL
from deploy.local.airflow.airflow_environment import database_path
from deploy.local.credentials import ADMIN, admin_password
from deploy.local.settings import Stack

TIMEOUT_S = 30


def needs_migration(stack: Stack) -> bool:
    """Whether the database is missing or was last migrated by another version: migrating costs seconds."""
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
    """The version in the Airflow environment, read without importing or starting it."""
    packages = [str(path) for path in (stack.airflow_bin.parent / "lib").glob("python3*/site-packages")]
    found = next(iter(distributions(name="apache-airflow", path=packages)), None)
    return found.version if found else "unknown"


def ensure_pool(stack: Stack) -> None:
    """Creates the pool `gpu` through the API; one that exists keeps the slots a person gave it."""
    pool = {**GPU_POOL._asdict(), "include_deferred": False}
    login = {"username": ADMIN, "password": admin_password(stack.secrets)}
    token = _post(stack, "/auth/token", login, expected=http.client.CREATED)["access_token"]
    _post(stack, "/api/v2/pools", pool, token=token, expected=http.client.CREATED, also=http.client.CONFLICT)


def _post(
    stack: Stack, path: str, body: dict[str, Any], *, expected: int, also: int | None = None, token: str = ""
) -> dict[str, Any]:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    connection = http.client.HTTPConnection(HOST, stack.airflow_port, timeout=TIMEOUT_S)
    try:
        connection.request("POST", path, json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise UnavailableError(f"Airflow does not answer POST {path}: {error}.") from error
    finally:
        connection.close()
    if answer.status not in (expected, also):
        raise UnavailableError(f"POST {path} must answer {expected}, got {answer.status}: {text[:300]!r}.")
    return dict(json.loads(text))
