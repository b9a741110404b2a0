"""What docker-compose.yaml asks of Airflow, beside Airflow's own lists of commands and options."""

import importlib.util
import re
from functools import cache
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[3]
SERVICES = yaml.safe_load((PROJECT / "docker-compose.yaml").read_text())["services"]
PACKAGES = next((PROJECT / ".venv/airflow/lib").glob("python3.*/site-packages"), None)

pytestmark = pytest.mark.skipif(not PACKAGES, reason="the Airflow environment is not installed")
each_service = pytest.mark.parametrize("name", [name for name in SERVICES if name.startswith("airflow-")])


@cache
def airflow_options():
    """Section and name of each option of Airflow and its providers, and whether it is sensitive."""
    airflow = PACKAGES / "airflow"
    sections = [yaml.safe_load((airflow / "config_templates/config.yml").read_text())]
    for path in airflow.glob("providers/**/get_provider_info.py"):
        spec = importlib.util.spec_from_file_location(path.parent.name, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        sections.append(module.get_provider_info().get("config") or {})
    return {
        (section, option): bool(about.get("sensitive"))
        for config in sections
        for section, content in config.items()
        for option, about in content["options"].items()
    }


@each_service
def test_airflow_has_the_commands_that_a_service_runs(name):
    texts = [
        (PACKAGES / "airflow" / path).read_text()
        for path in ("cli/cli_config.py", "providers/celery/cli/definition.py")
    ]
    known = set(re.findall(r'name="([a-z-]+)"', "\n".join(texts)))

    service = SERVICES[name]
    command = " ".join(service["command"])
    (started,) = re.findall(r"airflow ([a-z -]+)$", command) or [""]
    assert started or command == "python deploy/docker/initialise.py"
    assert set(started.split()) <= known
    for app in re.findall(r"celery --app (\S+)\.app", str(service.get("healthcheck"))):
        assert (PACKAGES / app.replace(".", "/")).with_suffix(".py").is_file()


@each_service
def test_airflow_has_every_option_that_is_set_and_takes_secrets_from_commands(name):
    options = airflow_options()
    variables = [variable for variable in SERVICES[name].get("environment", {}) if "AIRFLOW__" in variable]
    for variable in variables:
        _, section, option = variable.lower().split("__", 2)
        sensitive = options.get((section, option.removesuffix("_cmd")))
        assert sensitive is not None, f"{variable} is no option"
        assert sensitive == option.endswith("_cmd"), (
            f"{variable}: secrets, and they alone, come from a command"
        )
