"""deploy/docker/Dockerfile against the project and docker-compose.yaml. Builds nothing."""

import re
from pathlib import Path

import pytest
import yaml

from deploy.setup.environments import AIRFLOW, ML
from deploy.setup.uv import UV_REQUIREMENT

PROJECT = Path(__file__).resolve().parents[3]
SERVICES = yaml.safe_load((PROJECT / "docker-compose.yaml").read_text())["services"]
IGNORED = (PROJECT / ".dockerignore").read_text().splitlines()
TEXT = (PROJECT / "deploy/docker/Dockerfile").read_text()
LINES = re.sub(r"^#.*\n|\\\n", "", TEXT, flags=re.MULTILINE).splitlines()
STAGES = re.split(r"^FROM ", "\n".join(LINES), flags=re.MULTILINE)[1:]
BASES = {stage.split()[2]: stage.split()[0] for stage in STAGES}
INSTRUCTIONS = {stage.split()[2]: stage.splitlines()[1:] for stage in STAGES}
COPIES = [line.split()[1:] for line in LINES if line.startswith("COPY ")]
FROM_PROJECT = [copy for copy in COPIES if not any(word.startswith("--from=") for word in copy)]

each_copy = pytest.mark.parametrize("copy", COPIES, ids=" ".join)
each_image = pytest.mark.parametrize("image", ["airflow", "ml", "worker"])


def first(stage):
    """The stage that the line of a stage begins with."""
    return first(BASES[stage]) if BASES[stage] in BASES else stage


def lineage(stage):
    """The stage and those it is made from, and the instructions of all of them in order."""
    above = lineage(BASES[stage]) if BASES[stage] in BASES else []
    return [*above, *INSTRUCTIONS[stage]]


@each_copy
def test_what_is_copied_is_in_the_project_and_reaches_the_build_or_is_an_earlier_stage(copy):
    stages = [word.removeprefix("--from=") for word in copy if word.startswith("--from=")]
    *sources, _ = [word for word in copy if not word.startswith("--")]

    for stage in stages:
        assert stage in BASES
    if not stages:
        assert all((PROJECT / source).exists() for source in sources)
        assert all(f"!{source}" in IGNORED or f"!{Path(source).parts[0]}" in IGNORED for source in sources)


def test_nothing_reaches_a_build_but_what_is_copied():
    copied = {word for copy in FROM_PROJECT for word in copy[:-1]}
    allowed = {line.removeprefix("!") for line in IGNORED if line.startswith("!")}

    assert IGNORED[1] == "*"
    assert allowed == {"locks" if source.startswith("locks/") else source for source in copied}


def test_every_package_of_the_project_is_in_the_images():
    packages = {path.parent.name for path in PROJECT.glob("*/__init__.py")} - {"tests", "benchmarks"}

    assert packages <= {Path(copy[-1]).name for copy in FROM_PROJECT}


@pytest.mark.parametrize("environment", [ML[0], AIRFLOW], ids=lambda environment: environment.name)
def test_an_environment_is_what_its_lock_says_with_the_tools_of_make_setup(environment):
    stage = f"environment-{environment.name}"
    steps = "\n".join(INSTRUCTIONS[stage])
    found = re.search(r"uv venv --python /usr/local/bin/python(\S+) \.venv/(\w+)", steps)

    assert f"uv=={re.search('UV_VERSION=(.*)', TEXT)[1]}" == UV_REQUIREMENT
    assert found[1] in environment.versions
    assert found[2] == environment.name
    assert re.search(rf"uv pip sync .*--require-hashes .*{re.escape(environment.pins)}$", steps)
    assert (PROJECT / environment.pins).is_file()


@each_image
def test_an_image_has_the_one_interpreter_that_its_environments_were_made_with(image):
    steps = "\n".join(lineage(image))
    holds_ml, holds_airflow = image != "airflow", image != "ml"

    assert {base for base in BASES.values() if base.startswith("python:")} == {
        "python:3.13-slim-trixie",
        "python:3.13-trixie",  # the same with a compiler, for what comes as source
    }
    assert BASES[first(image)] == "python:3.13-slim-trixie"
    assert (".venv/ml .venv/ml" in steps) == holds_ml
    assert (".venv/airflow .venv/airflow" in steps) == holds_airflow
    assert "COPY --from=project / ./" in steps
    assert "WORKDIR /opt/slipway" in steps


@each_image
def test_a_change_of_the_code_installs_no_environment_anew(image):
    steps = lineage(image)
    code = steps.index("COPY --from=project / ./")

    assert not [step for step in steps[code:] if "environment-" in step and "COPY" in step]


@each_image
def test_an_image_runs_as_the_user_that_owns_the_volumes(image):
    steps = "\n".join(lineage(image))
    uid = re.search(r"useradd --uid (\d+)", steps)[1]

    assert re.findall(r"^USER (\S+)", steps, re.MULTILINE) == [uid]
    assert SERVICES["model-server"]["user"] == f"{uid}:{uid}"
    owned = re.search(r"install --directory --owner slipway --group slipway (.*)", steps)[1].split()
    built = [service for service in SERVICES.values() if service["image"].endswith(":local")]
    mounted = [volume for service in built for volume in service.get("volumes", [])]
    assert {re.search(r":(/[^:]+)", volume)[1] for volume in mounted} <= set(owned)


def test_candidates_are_tried_in_the_very_server_that_serves_them():
    lock = (PROJECT / ML[0].pins).read_text()
    version = re.search(r"^tensorflow-serving-api==(\S+)", lock, re.MULTILINE)[1]

    assert BASES["tensorflow-serving"] == SERVICES["model-server"]["image"] == f"tensorflow/serving:{version}"
    assert any("/usr/bin/tensorflow_model_server /usr/local/bin/" in step for step in lineage("worker"))


def test_images_carry_no_secrets_and_every_base_has_a_version():
    assert not re.search(r"^(ARG|ENV) .*(PASSWORD|SECRET|TOKEN|_KEY)", TEXT, re.MULTILINE)
    bases = [base for base in BASES.values() if base not in BASES and base != "scratch"]
    assert all(re.search(r":\d", base) for base in bases)
