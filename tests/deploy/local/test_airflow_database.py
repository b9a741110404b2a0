import dataclasses
import re

import pytest

from contract.errors import UnavailableError
from deploy.local.airflow import database
from deploy.local.airflow.environment import database_path


@pytest.fixture
def migrated(prepared):
    database_path(prepared).write_text("tables")
    (prepared.airflow / "migrated-by").write_text(database.airflow_version(prepared))
    return prepared


def test_the_version_of_airflow_is_read_without_starting_it(stack):
    assert re.fullmatch(r"3\.\d+\.\d+", database.airflow_version(stack))


def test_a_first_start_migrates(prepared):
    assert database.needs_migration(prepared)


def test_a_database_of_this_version_is_not_migrated_again(migrated):
    assert not database.needs_migration(migrated)


def test_a_database_of_another_version_is_migrated(migrated):
    (migrated.airflow / "migrated-by").write_text("3.2.0")

    assert database.needs_migration(migrated)


def test_a_database_that_was_removed_is_made_again(migrated):
    database_path(migrated).unlink()

    assert database.needs_migration(migrated)


@pytest.fixture
def with_airflow(prepared, tmp_path):
    """A stack whose `airflow` is a shell script."""

    def make(script):
        broken = dataclasses.replace(prepared, project=tmp_path / "project")
        broken.airflow_bin.mkdir(parents=True)
        (broken.airflow_bin / "airflow").write_text(f"#!/bin/sh\n{script}\n")
        (broken.airflow_bin / "airflow").chmod(0o755)
        return broken

    return make


def test_a_failed_migration_shows_what_airflow_said_and_leaves_no_database_in_part(with_airflow):
    stack = with_airflow(
        'touch "${AIRFLOW__DATABASE__SQL_ALCHEMY_CONN#sqlite:///}"; echo no such column; exit 3'
    )

    with pytest.raises(
        UnavailableError, match=r"(?s)ended with exit code 3:.*no such column.*airflow-db-migrate.log"
    ):
        database.migrate(stack, {})

    assert not database_path(stack).exists()
    assert database.needs_migration(stack)


def test_a_finished_migration_is_not_repeated(with_airflow):
    stack = with_airflow('touch "${AIRFLOW__DATABASE__SQL_ALCHEMY_CONN#sqlite:///}"')

    database.migrate(stack, {})

    assert database_path(stack).exists()
    assert not database.needs_migration(stack)
