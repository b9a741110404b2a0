import subprocess
import sys

import pytest

from contract.run_folder import RunFolder

ATTEMPT = """
import logging, sys
from pathlib import Path
from contract.run_folder import RunFolder
from pipelines.execution.exclusive import exclusive

logging.basicConfig(format="%(message)s", stream=sys.stdout)
with exclusive(RunFolder(Path(sys.argv[1]), "digits", "a"), sys.argv[2]):
    print("runs", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def attempt(tmp_path):
    """Starts an attempt at a node, which runs until its input is closed."""
    started = []

    def start(node="train"):
        command = [sys.executable, "-c", ATTEMPT, str(tmp_path), node]
        started.append(
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_a_second_attempt_at_a_node_waits_for_the_end_of_the_first(attempt):
    first = attempt()
    assert first.stdout.readline() == "runs\n"
    second = attempt()
    assert "An earlier attempt at train of run a still runs" in second.stdout.readline()
    first.stdin.close()
    assert second.stdout.readline() == "runs\n"


def test_an_attempt_that_is_killed_keeps_nobody_waiting(attempt):
    first = attempt()
    assert first.stdout.readline() == "runs\n"
    second = attempt()
    second.stdout.readline()
    first.kill()
    assert second.stdout.readline() == "runs\n"


def test_attempts_at_other_nodes_run_beside_it_and_the_lock_is_no_result(attempt, tmp_path):
    for node in ("train", "evaluate"):
        assert attempt(node).stdout.readline() == "runs\n"
    assert RunFolder(tmp_path, "digits", "a").results() == {}
