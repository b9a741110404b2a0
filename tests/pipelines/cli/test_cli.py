import subprocess
import sys

import pytest
from click.testing import CliRunner

from pipelines import failures
from pipelines.cli.console import parse_settings
from pipelines.cli.main import main

HEAVY = ("tensorflow", "tfx", "mlflow", "great_expectations", "rich", "httpx", "pydantic")


@pytest.fixture
def slipway(tmp_path, monkeypatch):
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path))
    for port, variable in enumerate(("AIRFLOW", "MLFLOW", "GRPC", "REST"), 1):
        monkeypatch.setenv(f"SLIPWAY_{variable}_PORT", str(port))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return lambda *arguments: CliRunner().invoke(main, arguments)


def test_help_names_every_command_and_loads_nothing_heavy():
    code = (
        "import sys; from click.testing import CliRunner; from pipelines.cli.main import main; "
        "sys.stdout.write(CliRunner().invoke(main, ['--help']).output); "
        f"sys.stdout.write(repr([name for name in {HEAVY} if name in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    commands = ("run", "trigger", "predict", "models", "promote", "rollback", "status", "compile", "demo")
    assert all(f"\n  {command} " in done.stdout for command in commands)
    assert done.stdout.endswith("[]")


def test_values_are_yaml():
    assert parse_settings(["train.epochs=2", "promotion=approval", "a=[1, 2]"]) == {
        "train.epochs": 2,
        "promotion": "approval",
        "a": [1, 2],
    }


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        pytest.param(
            ("run", "digit"), failures.BAD_SETTINGS, "Did you mean digits?", id="an unknown pipeline"
        ),
        pytest.param(
            ("run", "digits", "--set", "train.epoch=2"),
            failures.BAD_SETTINGS,
            "Unknown key 'train.epoch' in --set. Did you mean train.epochs?",
            id="an unknown key",
        ),
        pytest.param(("run", "digits", "--set", "train.epochs"), 2, "expected KEY=VALUE", id="no value"),
        pytest.param(
            ("trigger", "digits", "--set", "data.path=x"),
            failures.BAD_SETTINGS,
            "Unknown key(s) data.path for the trigger form of digits",
            id="a key that is not on the form",
        ),
        pytest.param(
            ("trigger", "flowers"),
            failures.BAD_SETTINGS,
            "Expected one of the compiled pipelines",
            id="no manifest",
        ),
        pytest.param(("trigger", "digits"), failures.TEMPORARY, "make up", id="no stack"),
        pytest.param(("predict", "digits", "nowhere.png"), 2, "does not exist", id="no file"),
        pytest.param(("promote", "digits", "0"), 2, "0 is not in the range", id="no version number"),
    ],
)
def test_a_mistake_ends_with_a_message_and_an_exit_code(slipway, arguments, code, message):
    done = slipway(*arguments)
    assert done.exit_code == code
    assert message in done.output


def test_status_of_a_stack_that_is_down_says_so_and_fails(slipway):
    done = slipway("status")
    assert done.exit_code == 1
    assert "down" in done.output
