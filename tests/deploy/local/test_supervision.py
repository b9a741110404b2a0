import json
import shlex
import stat
import subprocess
from pathlib import Path

import pytest

from contract.errors import SettingsError
from deploy.local.credentials import load_or_create
from deploy.local.supervision import configuration
from deploy.local.supervision.programs import Program, programs, shared_environment
from deploy.local.supervision.supervisor import SupervisorClient, start_supervisord

# supervisord's own reading of a configuration: what each program would get.
READ = """
import json, sys
from supervisor.options import ServerOptions
options = ServerOptions()
options.realize(["-c", sys.argv[1]])
found = [group.process_configs[0] for group in options.process_group_configs]
print(json.dumps({p.name: [p.command, p.environment, p.autostart, p.stdout_logfile]
                  for p in found}))
"""


@pytest.fixture
def credentials(prepared):
    return load_or_create(prepared.secrets)


def as_supervisord_reads_it(stack):
    answer = subprocess.run(
        [str(stack.airflow_bin / "python"), "-c", READ, str(configuration.config_path(stack))],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(answer.stdout)


def test_supervisord_reads_each_command_and_each_variable_as_it_was_meant(prepared, credentials):
    chosen = programs(prepared, credentials)
    configuration.write_config(prepared, chosen)

    read = as_supervisord_reads_it(prepared)

    assert list(read) == sorted(program.name for program in chosen)
    for program in chosen:
        command, environment, _, log = read[program.name]
        assert tuple(shlex.split(command)) == program.command
        assert environment == {**shared_environment(prepared), **program.environment}
        assert log == str(prepared.logs / f"{program.name}.log")


def test_a_percent_sign_reaches_a_program_as_one(prepared):
    odd = Program("odd", ("/bin/echo", "100%", "two words"), {"SHARE": "100% (s)"})
    configuration.write_config(prepared, [odd])

    command, environment, *_ = as_supervisord_reads_it(prepared)["odd"]

    assert command == "/bin/echo 100% 'two words'"
    assert environment["SHARE"] == "100% (s)"


def test_the_configuration_is_private_for_it_holds_secrets(prepared, credentials):
    configuration.write_config(prepared, programs(prepared, credentials))

    assert credentials.jwt_secret in configuration.config_path(prepared).read_text()
    assert stat.S_IMODE(configuration.config_path(prepared).stat().st_mode) == 0o600


def test_no_secret_is_on_a_command_line(prepared, credentials):
    words = " ".join(word for program in programs(prepared, credentials) for word in program.command)

    for secret in (credentials.jwt_secret, credentials.api_secret_key, credentials.fernet_key):
        assert secret not in words


def test_only_airflow_gets_airflows_secrets(prepared, credentials):
    others = [program for program in programs(prepared, credentials) if "airflow" not in program.name]

    assert others
    assert all(credentials.jwt_secret not in program.environment.values() for program in others)


def test_only_what_runs_nodes_gets_the_database_of_ml_metadata_and_through_the_private_file(
    prepared, credentials, monkeypatch
):
    uri = "postgresql://me:odd%27$;,=%25word@127.0.0.1:6000/metadata"
    monkeypatch.setenv("SLIPWAY_MLMD_URI", uri)
    configuration.write_config(prepared, programs(prepared, credentials))

    read = as_supervisord_reads_it(prepared)

    got = {name: found[1].get("SLIPWAY_MLMD_URI") for name, found in read.items()}
    assert {name for name, value in got.items() if value} == {"airflow-scheduler", "ml-worker"}
    assert set(got.values()) == {uri, None}
    assert not any("word" in found[0] for found in read.values())


def test_the_stack_does_not_start_with_a_malformed_database_of_ml_metadata(
    prepared, credentials, monkeypatch
):
    monkeypatch.setenv("SLIPWAY_MLMD_URI", "mysql://me:word@127.0.0.1/metadata")

    with pytest.raises(SettingsError, match="SLIPWAY_MLMD_URI must be"):
        programs(prepared, credentials)


def test_supervisord_hands_no_password_down_in_its_own_environment(prepared, monkeypatch):
    monkeypatch.setenv("SLIPWAY_MLMD_URI", "postgresql://me:word@127.0.0.1/metadata")
    configuration.write_config(prepared, [Program("sleeper", ("/bin/sleep", "60"))])

    start_supervisord(prepared)
    supervisor = SupervisorClient(configuration.socket_path(prepared))
    try:
        environment = Path(f"/proc/{supervisor.pid()}/environ").read_bytes()
    finally:
        supervisor.shut_down()

    assert b"SLIPWAY_STACK=" in environment
    assert b"SLIPWAY_MLMD_URI" not in environment


def test_every_server_listens_on_the_loopback_interface_at_the_chosen_port(prepared, credentials):
    by_name = {program.name: program for program in programs(prepared, credentials)}
    airflow = by_name["airflow-api-server"].environment

    assert (airflow["AIRFLOW__API__HOST"], airflow["AIRFLOW__API__PORT"]) == (
        "127.0.0.1",
        str(prepared.airflow_port),
    )
    assert " ".join(by_name["mlflow"].command).endswith(
        f"--host 127.0.0.1 --port {prepared.mlflow_port} --workers 1"
    )
    assert f"--port={prepared.grpc_port}" in by_name["model-server"].command
    assert f"--rest_api_port={prepared.rest_port}" in by_name["model-server"].command


def test_an_installed_tensorflow_serving_is_preferred_and_gets_the_same_flags(
    prepared, credentials, tmp_path, monkeypatch
):
    def model_server():
        return next(p for p in programs(prepared, credentials) if p.name == "model-server").command

    installed = tmp_path / "tensorflow_model_server"
    installed.write_text("#!/bin/sh\n")
    installed.chmod(0o755)
    embedded = model_server()
    monkeypatch.setenv("PATH", str(tmp_path))

    assert embedded[:3] == (str(prepared.ml_python), "-m", "serving.server")
    assert model_server() == (str(installed), *embedded[3:])


def test_a_company_proxy_is_not_asked_for_the_loopback_interface(prepared, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "example.org")
    monkeypatch.setenv("no_proxy", ".intern, localhost")

    environment = shared_environment(prepared)
    assert environment["NO_PROXY"] == environment["no_proxy"] == "example.org,.intern,localhost,127.0.0.1"
