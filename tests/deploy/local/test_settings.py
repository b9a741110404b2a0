import subprocess
import sys

import pytest

from contract.errors import SettingsError
from contract.state import LONGEST_SOCKET_FOLDER, PROJECT
from deploy.local.settings import Stack


def test_an_empty_environment_gives_the_documented_defaults():
    stack = Stack.from_environment({})

    assert stack.home == PROJECT / "var"
    assert stack.airflow_url == "http://127.0.0.1:8080"
    assert stack.mlflow_url == "http://127.0.0.1:5000"
    assert stack.grpc_target == "127.0.0.1:8500"
    assert stack.rest_url == "http://127.0.0.1:8501"


def test_a_process_given_the_environment_of_a_stack_reads_the_same_stack(stack):
    assert Stack.from_environment(stack.environment()) == stack


def test_a_relative_folder_starts_at_the_project_whoever_asks_from_wherever(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert Stack.from_environment({"SLIPWAY_HOME": "a/../state"}).home == PROJECT / "state"


@pytest.mark.parametrize("value", ["web", "0", "65536", "-1", "80.5", "²"])
def test_a_malformed_port_is_refused_with_its_variable_its_range_and_what_was_given(value):
    with pytest.raises(SettingsError, match=f"SLIPWAY_REST_PORT .* from 1 to 65535, got '{value}'"):
        Stack.from_environment({"SLIPWAY_REST_PORT": value})


def test_two_services_on_one_port_are_refused_by_both_variables():
    with pytest.raises(SettingsError, match="SLIPWAY_AIRFLOW_PORT and SLIPWAY_MLFLOW_PORT are both 5000"):
        Stack.from_environment({"SLIPWAY_AIRFLOW_PORT": "5000"})


@pytest.mark.parametrize("character", [*"\"'`;#?%$\\", "\n"])
def test_a_home_that_a_configuration_file_would_misread_is_refused(character):
    with pytest.raises(SettingsError, match="SLIPWAY_HOME must be a path without"):
        Stack.from_environment({"SLIPWAY_HOME": f"/srv/a{character}b"})


def test_sockets_lie_in_the_state_folder_where_its_path_is_short_enough(tmp_path):
    assert Stack(tmp_path).sockets == tmp_path / "run"


def test_sockets_of_a_deep_state_folder_have_a_short_path_of_their_own(tmp_path):
    deep, other = Stack(tmp_path / ("x" * 120)), Stack(tmp_path / ("y" * 120))

    assert len(str(deep.sockets)) <= LONGEST_SOCKET_FOLDER
    assert deep.sockets != other.sockets


def test_importing_the_settings_loads_nothing_but_the_standard_library():
    code = "import sys, deploy.local.settings; print(*{name.split('.')[0] for name in sys.modules})"
    loaded = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True
    )

    assert set(loaded.stdout.split()) - set(sys.stdlib_module_names) == {
        "__main__",
        "contract",
        "deploy",
    }
