import os
import subprocess
import sys
import threading

import pytest

from contract import environment
from contract.state import PROJECT
from dags.operators.process import ProcessRunner


@pytest.fixture
def runner(ml):
    """Makes a runner of the fake node `train`."""

    def make(grace_s: float = 10) -> ProcessRunner:
        command = [str(environment.ml_python()), "-m", "pipelines.execution.node", "--pipeline", "tiny"]
        return ProcessRunner(
            [*command, "--run-id", "r1", "--node", "train"],
            cwd=PROJECT,
            environment=environment.of_ml_process(),
            grace_s=grace_s,
        )

    return make


@pytest.mark.parametrize(
    ("act", "code"),
    [({"exit": 0}, 0), ({"exit": 99}, 99), ({"exit": 75}, 75), ({"signal": 9}, -9), ({"signal": 11}, -11)],
)
def test_the_end_of_the_process_is_reported(runner, ml, act, code):
    ml.act(train=act)

    assert runner().run(lambda line: None) == code


def test_output_arrives_while_the_process_still_runs(runner, ml, has_ended):
    ml.act(train={"say": ["first", "second"], "hang": True})
    heard, spoken = [], threading.Event()

    def say(line: str) -> None:
        heard.append(line)
        if line == "second":
            spoken.set()

    running = runner()
    thread = threading.Thread(target=running.run, args=[say])
    thread.start()

    assert spoken.wait(30)
    node, child = ml.wait_until_hanging()
    assert heard == ["first", "second"]
    running.stop()
    thread.join()
    assert has_ended(node)
    assert has_ended(child)


def test_output_that_is_no_text_does_not_end_the_run(tmp_path):
    command = [sys.executable, "-c", r"import os; os.write(1, b'\xff\n'); os.write(2, b'after\n')"]
    heard = []

    code = ProcessRunner(command, cwd=tmp_path, environment={}).run(heard.append)

    assert (code, heard) == (0, ["\ufffd", "after"])


def test_stopping_kills_what_ignores_term_after_the_grace_period(runner, ml, has_ended):
    ml.act(train={"hang": True, "ignore_term": True})
    running, codes = runner(grace_s=0.2), []
    thread = threading.Thread(target=lambda: codes.append(running.run(lambda line: None)))
    thread.start()
    node, child = ml.wait_until_hanging()

    running.stop()

    thread.join()
    assert codes == [-9]
    assert has_ended(node)
    assert has_ended(child)


def test_a_runner_that_is_stopped_before_it_starts_ends_at_once(runner, ml):
    ml.act(train={"hang": True})
    running = runner()
    running.stop()
    threading.Thread(target=ml.home.joinpath("started").read_text, daemon=True).start()

    assert running.run(lambda line: None) == -15


def test_an_exception_while_reading_stops_the_process(runner, ml, has_ended):
    ml.act(train={"say": ["up"], "hang": True})

    class TooLateError(BaseException):
        pass

    pids = []

    def fail(line: str) -> None:
        pids.extend(ml.wait_until_hanging())
        raise TooLateError

    with pytest.raises(TooLateError):
        runner().run(fail)

    assert len(pids) == 2
    assert all(has_ended(pid) for pid in pids)


def test_nothing_that_comes_while_the_process_ends_lets_the_task_leave_before_it(tmp_path):
    command = [sys.executable, "-c", CLEANS_UP]

    def interrupt(line):
        raise TimeoutError if line == "up" else KeyboardInterrupt

    with pytest.raises(TimeoutError):
        ProcessRunner(command, cwd=tmp_path, environment={}).run(interrupt)

    assert (tmp_path / "cleaned").exists()


CLEANS_UP = """
import os, signal, time
from pathlib import Path
def clean_up(number, frame):
    os.write(1, b"stopping\\n")  # the signal may come while a stream is in the middle of a write
    time.sleep(0.5)  # work that ends with the file
    Path("cleaned").touch()
    raise SystemExit
signal.signal(signal.SIGTERM, clean_up)
os.write(1, b"up\\n")
signal.pause()
"""


def test_nothing_outlives_a_task_that_is_killed_without_warning(ml, has_ended):
    ml.act(train={"hang": True, "ignore_term": True})
    task = subprocess.Popen(
        [sys.executable, "-c", TASK, str(environment.ml_python())],
        env=environment.of_ml_process() | {"PYTHONPATH": str(PROJECT)},
    )
    pids = ml.wait_until_hanging()

    task.kill()

    task.wait()
    assert all(has_ended(pid) for pid in pids)


TASK = """
import os, sys
from pathlib import Path
from dags.operators.process import ProcessRunner
command = [sys.argv[1], "-m", "pipelines.execution.node", "--pipeline", "tiny", "--run-id", "r1", "--node", "train"]
ProcessRunner(command, cwd=Path("."), environment=dict(os.environ), grace_s=0.2).run(print)
"""


def test_a_process_that_left_the_group_does_not_outlive_the_command(tmp_path, has_ended):
    escape = "import subprocess, sys; print(subprocess.Popen(['sleep', '600'], start_new_session=True).pid)"
    heard = []

    code = ProcessRunner([sys.executable, "-c", escape], cwd=tmp_path, environment=dict(os.environ)).run(
        heard.append
    )

    assert code == 0
    assert has_ended(int(heard[0]))


def test_a_node_sees_no_secret_of_airflow(runner, ml, monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "s3cret")
    ml.act(train={"dump_environment": True})

    runner().run(print)

    dumped = (ml.home / "environment.json").read_text()
    assert "s3cret" not in dumped
    assert "AIRFLOW" not in dumped
