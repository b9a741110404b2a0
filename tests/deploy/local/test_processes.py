import os
import signal
import subprocess
import sys

import pytest
from tenacity import Retrying, retry_if_not_result, stop_after_delay, wait_fixed

from contract.errors import UnavailableError
from deploy.folders import make_folders
from deploy.local.settings import Stack
from deploy.local.supervision import processes, supervisor
from deploy.local.supervision.configuration import (
    config_path,
    log_path,
    pid_path,
    socket_path,
    write_config,
)
from deploy.local.supervision.programs import MARKER, Program
from deploy.local.supervision.supervisor import SupervisorClient, start_supervisord

SLEEP = ("sleep", "300")
# Like Airflow's workers: a child whose title hides its environment, and one that left session and environment.
FAMILY = """
import subprocess, sys, time
subprocess.Popen(["env", "-i", "sleep", "300"])
subprocess.Popen(["sleep", "300"], start_new_session=True)
print("started", flush=True)
time.sleep(300)
"""
IGNORES_TERM = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("started", flush=True)
time.sleep(300)
"""


def wait_until(condition):
    Retrying(retry=retry_if_not_result(bool), wait=wait_fixed(0.05), stop=stop_after_delay(20))(condition)


@pytest.fixture
def spawn(prepared):
    """Starts a process as the stack would; whatever a test leaves behind is ended."""
    started = []

    def start(*command, stack=prepared, **options):
        environment = {**os.environ, MARKER: str(stack.home)}
        started.append(subprocess.Popen(command, env=environment, start_new_session=True, **options))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def supervised(prepared, tmp_path):
    """A running supervisord with one program that has children."""
    (tmp_path / "family.py").write_text(FAMILY)
    write_config(prepared, [Program("family", (sys.executable, str(tmp_path / "family.py")))])
    start_supervisord(prepared)
    client = SupervisorClient(socket_path(prepared))
    processes.remember_supervisor(prepared, client.pid())
    wait_until(lambda: log_path(prepared, "family").exists() and log_path(prepared, "family").read_text())
    yield client
    processes.end(prepared)


def test_only_processes_with_the_marker_of_this_state_folder_belong_to_the_stack(prepared, tmp_path, spawn):
    ours = spawn(*SLEEP)
    spawn(*SLEEP, stack=Stack(tmp_path / "my state too"))

    wait_until(lambda: processes.of_stack(prepared) == {ours.pid})


def test_a_process_that_ignores_term_is_killed(prepared, spawn):
    stubborn = spawn(sys.executable, "-c", IGNORES_TERM, stdout=subprocess.PIPE)
    stubborn.stdout.readline()

    assert processes.end(prepared, patience_s=0.3) == 1
    assert stubborn.wait() == -signal.SIGKILL
    stubborn.stdout.close()


def test_a_process_that_has_ended_but_was_not_collected_is_gone(prepared, spawn):
    spawn("true")

    assert not processes.wait_until_gone(prepared, 5)


def test_the_supervisor_answers_over_its_socket_as_soon_as_it_has_started(prepared, supervised):
    assert supervised.pid() == int(pid_path(prepared).read_text())
    assert supervised.states()["family"] in ("STARTING", "RUNNING")


def test_a_supervisor_that_is_stopped_is_not_waited_for_without_end(prepared, supervised, monkeypatch):
    monkeypatch.setattr(supervisor, "TIMEOUT_S", 0.2)
    pid = supervised.pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        assert SupervisorClient(socket_path(prepared)).pid() is None
    finally:
        os.kill(pid, signal.SIGCONT)


def test_every_descendant_belongs_to_the_stack(prepared, supervised):
    assert len(processes.of_stack(prepared)) == 4


def test_stopping_the_supervisor_leaves_only_what_left_its_process_group(prepared, supervised):
    supervised.shut_down()
    wait_until(lambda: supervised.pid() is None)

    wait_until(lambda: len(processes.of_stack(prepared)) == 1)
    assert processes.end(prepared) == 1


def test_what_a_killed_supervisor_leaves_behind_is_found_and_ended(prepared, supervised):
    os.kill(supervised.pid(), signal.SIGKILL)
    wait_until(lambda: supervised.pid() is None)

    assert processes.end(prepared) == 3
    assert not processes.of_stack(prepared)


def test_a_remembered_supervisor_whose_id_means_another_process_by_now_is_not_believed(prepared):
    other = subprocess.Popen(SLEEP, start_new_session=True, cwd=prepared.project)
    processes.remember_supervisor(prepared, other.pid)
    assert processes.of_stack(prepared) == {other.pid}
    record = prepared.run / "supervisor.json"
    record.write_text(record.read_text().replace('"started": ', '"started": 1'))

    assert not processes.of_stack(prepared)
    other.kill()
    other.wait()


def test_a_deep_state_folder_gets_a_socket_too(tmp_path):
    deep = Stack(tmp_path / ("deep" * 40))
    make_folders(deep)
    write_config(deep, [Program("sleeper", SLEEP)])
    start_supervisord(deep)

    try:
        assert SupervisorClient(socket_path(deep)).states() == {"sleeper": "STARTING"}
    finally:
        processes.end(deep)
        socket_path(deep).unlink(missing_ok=True)
        deep.sockets.rmdir()


def test_a_configuration_that_supervisord_refuses_is_reported_with_its_words(prepared):
    write_config(prepared, [])
    config_path(prepared).write_text("[program:broken]\n")

    with pytest.raises(
        UnavailableError, match=r"supervisord did not start \(exit code 2\).*supervisord section"
    ):
        start_supervisord(prepared)
