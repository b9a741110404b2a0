"""docker-compose.yaml against the Compose specification and against the project. Starts no container."""

import importlib.util
import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from contract.addresses import PORTS

PROJECT = Path(__file__).resolve().parents[3]
COMPOSE = PROJECT / "docker-compose.yaml"
TEXT = COMPOSE.read_text()
FILE = yaml.safe_load(TEXT)
SERVICES = FILE["services"]
BUILDERS = [(service["image"], name) for name, service in SERVICES.items() if "build" in service]
HEALTHY, DONE = "service_healthy", "service_completed_successfully"

each_service = pytest.mark.parametrize("name", SERVICES)


def one_shot(name):
    return SERVICES[name].get("restart") == "no"


def words(part):
    return [part] if isinstance(part, str) else [str(word) for word in part or []]


def commands(name):
    """What a service runs, its health check included, each as one string."""
    service = SERVICES[name]
    return [
        " ".join(words(service.get("command"))),
        " ".join(words(service.get("healthcheck", {}).get("test"))),
    ]


def mounts(name):
    """Pairs of what is mounted and where; of what a variable may name, what there is without."""
    volumes = [re.sub(r"\$\{\w+:-(\w+)\}", r"\1", volume) for volume in SERVICES[name].get("volumes", [])]
    return [tuple(volume.split(":")[:2]) for volume in volumes]


def waits_for(name):
    """All services that are up or done before this one starts."""
    direct = set(SERVICES[name].get("depends_on", {}))
    return direct.union(*map(waits_for, direct))


def test_the_file_follows_the_compose_specification():
    schema = json.loads((PROJECT / "tests/deploy/docker/compose-spec.json").read_text())

    problems = [
        f"{'.'.join(map(str, error.path))}: {error.message}"
        for error in jsonschema.Draft202012Validator(schema).iter_errors(FILE)
    ]

    assert problems == []


@each_service
def test_what_a_service_is_built_of_and_mounts_exists(name):
    build = SERVICES[name].get("build")
    if build:
        dockerfile = PROJECT / build["context"] / build["dockerfile"]
        assert build["target"] in re.findall(r"^FROM \S+ AS (\S+)", dockerfile.read_text(), re.MULTILINE)
    for source, target in mounts(name):
        assert (PROJECT / source).is_file() if source.startswith("./") else source in FILE["volumes"]
        assert target.startswith("/")
    assert set(SERVICES[name]["networks"]) <= set(FILE["networks"])


@each_service
def test_an_image_has_a_version_or_is_built_here(name):
    image = SERVICES[name]["image"]
    tag = image.partition(":")[2]

    assert tag == "local" if image in dict(BUILDERS) else re.match(r"\d", tag)


def test_an_image_is_built_by_one_service_which_the_others_with_it_wait_for():
    builder = dict(BUILDERS)

    assert len(BUILDERS) == len(builder) == 3
    for name, service in SERVICES.items():
        assert builder.get(service["image"]) in {None, name, *waits_for(name)}


@each_service
def test_the_programs_of_the_project_that_a_service_runs_exist(name):
    for command in commands(name):
        for script in re.findall(r"\bpython (\S+\.py)", command):
            assert (PROJECT / script).is_file()
        for module in re.findall(r"\bpython -m (\S+)", command):
            assert importlib.util.find_spec(module)


def test_every_slipway_variable_is_one_that_the_project_reads():
    used = set(re.findall(r"SLIPWAY_\w+", TEXT))
    sources = [
        path.read_text()
        for folder in ("contract", "pipelines", "dags")
        for path in (PROJECT / folder).rglob("*.py")
    ]
    read = set(re.findall(r'"(SLIPWAY_\w+)"', "\n".join(sources)))

    assert used - {"SLIPWAY_INBOX"} <= read  # Compose alone reads it: what is mounted as the inbox


@each_service
def test_a_service_that_stays_says_how_to_ask_whether_it_works_and_is_restarted(name):
    service = SERVICES[name]

    assert one_shot(name) != bool(service.get("healthcheck", {}).get("test"))
    assert one_shot(name) or service["restart"] == "unless-stopped"
    assert service["deploy"]["resources"]["limits"]["memory"]


@each_service
def test_a_service_waits_until_what_it_needs_works_or_is_done(name):
    for other, how in SERVICES[name].get("depends_on", {}).items():
        assert how["condition"] == (DONE if one_shot(other) else HEALTHY)
    if name != "postgres" and any("database" in secret for secret in SERVICES[name].get("secrets", [])):
        assert "postgres" in waits_for(name)
    if any(source == "models" for source, _ in mounts(name)) and not one_shot(name):
        assert "airflow-init" in waits_for(name)  # it writes the models.config


def test_ports_are_published_on_loopback_alone_under_the_variables_of_the_local_stack():
    published = sorted(port for service in SERVICES.values() for port in service.get("ports", []))

    assert published == sorted(
        f"127.0.0.1:${{{port.variable}:-{port.default}}}:{port.default}" for port in PORTS
    )


def test_the_stores_are_reached_from_inside_alone():
    assert FILE["networks"]["back"]["internal"] is True
    for name in ("postgres", "redis"):
        assert SERVICES[name]["networks"] == ["back"]
        assert "ports" not in SERVICES[name]


@each_service
def test_a_service_calls_others_by_names_and_ports_that_they_have_on_a_network_they_share(name):
    ports = {"airflow-api-server": "8080", "mlflow": "5000", "model-server": "8500", "redis": "6379"}
    told = json.dumps({key: SERVICES[name].get(key) for key in ("environment", "command", "healthcheck")})
    called = re.findall(r"(?://|@|TARGET\W+)([a-z][a-z-]+)(?::(\d+))?[/\"]", told)

    for host, port in called:
        assert port == ports.get(host, "")
        assert set(SERVICES[host]["networks"]) & set(SERVICES[name]["networks"])
