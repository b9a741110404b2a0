import signal
import subprocess
import sys

import pytest

STUBBORN = """
import sys, threading
from pipelines.execution.cancellation import Cancellation
from contract.errors import Cancelled

with Cancellation() as cancellation:
    try:
        with cancellation.cancellable():
            sys.stdout.write("working\\n")
            sys.stdout.flush()
            threading.Event().wait()
    except Cancelled:
        sys.stdout.write("closing\\n")
        sys.stdout.flush()
        threading.Event().wait()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_a_process_that_hangs_while_it_closes(number):
    with subprocess.Popen(
        [sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout.readline() == "working\n"
        running.send_signal(number)
        assert running.stdout.readline() == "closing\n"
        running.send_signal(number)
        said = running.stderr.read()

    assert running.returncode == -number
    assert "Once more ends it at once" in said
