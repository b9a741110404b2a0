import dataclasses
import fcntl
import os
import signal
import socket
import sys
import threading

import pytest

from contract.addresses import HOST
from contract.errors import SettingsError, UnavailableError
from deploy.local.control import down, is_up, up
from deploy.local.readiness import Readiness
from deploy.local.supervision import processes
from deploy.local.supervision.configuration import pid_path, socket_path, write_config
from deploy.local.supervision.programs import Program
from deploy.local.supervision.supervisor import SupervisorClient, start_supervisord

SLEEPER = Program("sleeper", ("sleep", "300"))


@pytest.fixture
def lines():
    return []


@pytest.fixture
def start(prepared):
    """Starts a supervisor with other programs than the stack's."""

    def run(*programs):
        write_config(prepared, programs)
        start_supervisord(prepared)
        processes.remember_supervisor(prepared, SupervisorClient(socket_path(prepared)).pid())

    yield run
    processes.end(prepared)


def test_a_taken_port_stops_the_start_before_anything_runs(stack, lines):
    with socket.create_server((HOST, stack.mlflow_port)):
        with pytest.raises(SettingsError, match=r"\(MLflow\) is in use; .* set SLIPWAY_MLFLOW_PORT"):
            up(stack, lines.append)
        assert not processes.of_stack(stack)


def test_a_stack_whose_environments_are_missing_says_to_run_setup(stack, tmp_path, lines):
    with pytest.raises(SettingsError, match=r"(?s)missing: .*ml/bin/python.*Run 'make setup'"):
        up(dataclasses.replace(stack, project=tmp_path), lines.append)


def test_a_running_stack_is_not_mistaken_for_one_on_other_ports(prepared, start, lines):
    start(SLEEPER)
    other = dataclasses.replace(prepared, mlflow_port=prepared.mlflow_port + 1)

    with pytest.raises(SettingsError, match=f"already runs, with SLIPWAY_MLFLOW_PORT={prepared.mlflow_port}"):
        up(other, lines.append)


def test_a_stack_with_a_service_that_does_not_answer_is_not_up(prepared, start):
    start(SLEEPER)

    assert not is_up(prepared)


def test_stopping_what_never_ran_says_so_and_makes_no_folder(stack, lines):
    down(stack, lines.append)

    assert lines == ["Nothing is running."]
    assert not stack.home.exists()


def test_stopping_ends_every_program_and_removes_the_socket(prepared, start, lines):
    start(SLEEPER)

    down(prepared, lines.append)

    assert lines == ["Stopping the stack.", "The stack is down."]
    assert not processes.of_stack(prepared)
    assert [path.name for path in prepared.run.iterdir()] == ["control.lock"]


def test_a_killed_supervisor_does_not_hide_the_programs_it_left_behind(prepared, start, lines):
    start(SLEEPER)
    os.kill(SupervisorClient(socket_path(prepared)).pid(), signal.SIGKILL)

    down(prepared, lines.append)

    assert lines == ["Ended 1 process(es) that had outlived their program.", "The stack is down."]
    assert not processes.of_stack(prepared)


def test_a_socket_and_a_pid_file_without_a_supervisor_are_not_taken_for_a_running_stack(prepared, lines):
    socket_path(prepared).write_text("")
    pid_path(prepared).write_text(str(os.getpid()))
    processes.remember_supervisor(prepared, os.getpid())
    record = prepared.run / "supervisor.json"
    record.write_text(record.read_text().replace('"boot": "', '"boot": "another '))

    down(prepared, lines.append)

    assert lines == ["Nothing is running."]
    assert [path.name for path in prepared.run.iterdir()] == ["control.lock"]


def test_a_second_command_waits_for_the_first_and_says_so(prepared, lines):
    with (prepared.run / "control.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second = threading.Thread(target=down, args=(prepared, lines.append))
        second.start()
        second.join(0.3)
        assert lines == ["Waiting for another 'up' or 'down' to finish."]
    second.join(10)

    assert lines[-1] == "Nothing is running."


def test_a_program_that_ends_each_time_is_named_with_the_end_of_its_log(prepared, start, lines):
    start(Program("broken", (sys.executable, "-c", "print('no such table'); raise SystemExit(3)")))

    with pytest.raises(UnavailableError, match=r"(?s)broken ended each time it was started.*no such table"):
        Readiness(prepared, lines.append, deadline_s=60).wait()


def test_when_the_time_is_over_every_missing_program_is_named_with_what_it_said(prepared, start, lines):
    start(SLEEPER)

    with pytest.raises(
        UnavailableError, match=r"Not up within 0 s: airflow-api-server \(no answer: .*mlflow \("
    ):
        Readiness(prepared, lines.append, deadline_s=0).wait()
