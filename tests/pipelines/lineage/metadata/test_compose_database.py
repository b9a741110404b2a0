"""The databases that the Compose stack makes at its first start, made by a real PostgreSQL: do nodes reach theirs?"""

import subprocess
import sys
from pathlib import Path

import postgresql_server
import pytest
import yaml

from pipelines.lineage import metadata, metadata_uri
from pipelines.lineage.metadata_store import Store

PROJECT = Path(__file__).resolve().parents[4]
SERVICES = yaml.safe_load((PROJECT / "docker-compose.yaml").read_text())["services"]
SCRIPT = PROJECT / "deploy/docker/postgres/databases.sql"


@pytest.fixture(scope="module")
def secrets(postgresql, tmp_path_factory):
    """The folder of the secrets, after the script for the first start has run with them."""
    folder = tmp_path_factory.mktemp("secrets")
    subprocess.run(
        [sys.executable, PROJECT / "deploy/docker/make-secrets.py", folder], check=True, capture_output=True
    )
    subprocess.run(
        [
            (postgresql_server.binaries() / "initdb").resolve().with_name("psql"),
            postgresql.uri("postgres"),
            "--set=ON_ERROR_STOP=1",
        ],
        input=SCRIPT.read_text().replace("/run/secrets", str(folder)),
        text=True,
        check=True,
        capture_output=True,
    )
    return folder


@pytest.mark.parametrize("name", ["ml-worker", "airflow-worker"])
def test_nodes_keep_metadata_in_the_database_that_the_service_names(
    postgresql, secrets, tmp_path, monkeypatch, name
):
    shell, option, text = SERVICES[name]["command"]
    exporting, _, _ = text.replace("$$", "$").replace("/run/secrets", str(secrets)).partition(" && exec ")
    printed = subprocess.run(
        [shell, option, f'{exporting} && printf %s "${metadata_uri.VARIABLE}"'],
        check=True,
        capture_output=True,
        text=True,
    )
    monkeypatch.setenv(
        metadata_uri.VARIABLE, printed.stdout.replace("@postgres/", f"@127.0.0.1:{postgresql.port}/")
    )

    with Store(metadata.connection(tmp_path)) as store:
        assert store.store.get_executions() == []
    assert not list(tmp_path.iterdir()), "no file beside the database"
