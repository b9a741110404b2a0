"""Who gets which secret in docker-compose.yaml, and that none is written into it."""

import json
import re
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[3]
TEXT = (PROJECT / "docker-compose.yaml").read_text()
FILE = yaml.safe_load(TEXT)
SERVICES = FILE["services"]

each_service = pytest.mark.parametrize("name", SERVICES)


def read_by(name):
    """All that a service is told: its definition, and the files of the project that it mounts."""
    told = {key: value for key, value in SERVICES[name].items() if key != "secrets"}
    sources = [volume.split(":")[0] for volume in told.get("volumes", [])]
    files = [(PROJECT / source).read_text() for source in sources if source.startswith("./")]
    return "\n".join([json.dumps(told), *files])


@each_service
def test_a_service_mounts_exactly_the_secrets_it_reads(name):
    read = set(re.findall(r"/run/secrets/(\w+)", read_by(name)))

    assert read == set(SERVICES[name].get("secrets", []))


def test_every_secret_is_a_file_that_the_generator_makes():
    generator = (PROJECT / "deploy/docker/make-secrets.py").read_text()
    made = {f"./secrets/{name}" for name in re.findall(r'^    "([\w.]+)": _\w+,$', generator, re.MULTILINE)}

    assert made == {secret.pop("file") for secret in json.loads(json.dumps(FILE["secrets"])).values()}
    assert set(FILE["secrets"]) == {
        used for service in SERVICES.values() for used in service.get("secrets", [])
    }


def test_no_password_is_written_into_the_file():
    literal = re.sub(r"\$\$\(cat\s+/run/secrets/\w+\)|%s", "", TEXT)

    assert not re.findall(r"://\w*:[^@\s]+@", literal)
    assert not re.findall(r"requirepass +\S", literal)
    for service in SERVICES.values():
        named = [
            key for key in service.get("environment", {}) if re.search("PASSWORD|SECRET|_KEY|TOKEN", key)
        ]
        assert all(re.search("_CMD$|_FILE$", key) for key in named)


def test_the_worker_that_runs_models_code_holds_no_key_to_airflows_database():
    held = set(SERVICES["airflow-worker"]["secrets"]) | set(SERVICES["ml-worker"].get("secrets", []))

    assert held == {
        "celery_database_password",
        "mlmd_database_password",
        "redis_password",
        "airflow_api_secret_key",
    }


@each_service
def test_a_database_is_asked_for_by_a_role_that_the_first_start_makes(name):
    script = (PROJECT / "deploy/docker/postgres/databases.sql").read_text()
    made = re.findall(
        r"\\set (\w+)_password `cat /run/secrets/\1_database_password`\n"
        r"CREATE ROLE \1 LOGIN PASSWORD :'\1_password';\nCREATE DATABASE (\1) OWNER \1;",
        script,
    )
    asked = re.findall(
        r"postgresql(?:\+psycopg2)?://(\w+):(?:%s|[^@]+)@postgres/(\w+)", json.dumps(SERVICES[name])
    )

    assert set(asked) <= set(made)
    assert len(made) == 4
