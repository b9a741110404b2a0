"""Starts and stops the whole stack, and waits until that is true. Says what it does through `on_progress`."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from contract.errors import SettingsError, UnavailableError
from contract.manifest import GPU_POOL
from deploy.folders import make_folders
from deploy.local import credentials, served
from deploy.local.airflow import database
from deploy.local.airflow.client import AirflowClient
from deploy.local.free_ports import check_ports
from deploy.local.health import health
from deploy.local.readiness import Readiness
from deploy.local.settings import Stack
from deploy.local.supervision import configuration, processes
from deploy.local.supervision.programs import Program, Start, programs, shared_environment
from deploy.local.supervision.supervisor import SupervisorClient, start_supervisord

OnProgress = Callable[[str], None]

START_DEADLINE_S = 300
STOP_DEADLINE_S = 30  # longer than the slowest program may take


def is_up(stack: Stack) -> bool:
    """Returns whether every service of the stack works."""
    return _client(stack).pid() is not None and all(state.healthy for state in health(stack))


def up(stack: Stack, on_progress: OnProgress, deadline_s: float = START_DEADLINE_S) -> None:
    """Starts what does not run yet and returns when every service answers.

    Args:
        stack: Which stack.
        on_progress: Gets one line of progress at a time.
        deadline_s: How long all services together may take to come up, in seconds.

    Raises:
        SettingsError: A port is taken, or the environments are not installed.
        UnavailableError: A service did not come up; what was started is stopped again.
    """
    _check_installed(stack)
    make_folders(stack)
    with _locked(stack, on_progress):
        running = _client(stack).pid() is not None
        if running:
            _check_same_settings(stack)
        if running and is_up(stack):
            on_progress("The stack is already up.")
        elif running:
            _resume(stack, on_progress, deadline_s)
        else:
            _start(stack, on_progress, deadline_s)
    _show_addresses(stack, on_progress)


def down(stack: Stack, on_progress: OnProgress) -> None:
    """Stops every process of the stack and returns when the last one is gone."""
    if not stack.run.is_dir():
        on_progress("Nothing is running.")
        return
    with _locked(stack, on_progress):
        if processes.of_stack(stack):
            _stop(stack, on_progress)
            on_progress("The stack is down.")
        else:
            on_progress("Nothing is running.")
        _clean_up(stack)


def _start(stack: Stack, on_progress: OnProgress, deadline_s: float) -> None:
    if left := processes.end(stack):
        on_progress(f"Ended {left} process(es) that a killed supervisor had left behind.")
    _clean_up(stack)
    check_ports(stack)
    make_folders(stack)
    for model, versions in served.leave_out_missing(stack).items():
        on_progress(
            f"Model {model}: version(s) {', '.join(map(str, versions))} not on disk as released, and not served."
        )
    chosen = programs(stack, credentials.load_or_create(stack.secrets))
    try:
        configuration.write_config(stack, chosen)
        start_supervisord(stack)
        processes.remember_supervisor(stack, _client(stack).pid() or 0)
        on_progress(f"Starting {len(chosen)} programs; their logs are in {stack.logs}.")
        _bring_up(stack, chosen, on_progress, deadline_s)
    except BaseException:
        on_progress("Stopping what was started.")
        _stop(stack, on_progress)
        _clean_up(stack)
        raise


def _resume(stack: Stack, on_progress: OnProgress, deadline_s: float) -> None:
    """A supervisor runs, but not everything works: a program was given up, or an `up` was killed."""
    on_progress("The stack is up in part: starting the rest.")
    _bring_up(stack, programs(stack, credentials.load_or_create(stack.secrets)), on_progress, deadline_s)


def _bring_up(stack: Stack, chosen: list[Program], on_progress: OnProgress, deadline_s: float) -> None:
    """Starts what does not run yet, each program as soon as what it needs is there."""
    readiness = Readiness(stack, on_progress, deadline_s)
    if database.needs_migration(stack):
        on_progress("Preparing Airflow's database.")
        airflow = next(program for program in chosen if program.start is Start.WITH_DATABASE)
        database.migrate(stack, {**shared_environment(stack), **airflow.environment})
    for stage in Start:
        if stage is Start.WITH_API:
            readiness.wait("airflow-api-server")
            AirflowClient(stack).ensure_pool(*GPU_POOL)
        for program in chosen:
            if program.start is stage:
                _client(stack).start(program.name)
    readiness.wait()


def _stop(stack: Stack, on_progress: OnProgress) -> None:
    client = _client(stack)
    if pid := client.pid():
        on_progress("Stopping the stack.")
        client.shut_down()
        processes.wait_for_end(pid, STOP_DEADLINE_S)
    if left := processes.end(stack):
        on_progress(f"Ended {left} process(es) that had outlived their program.")
    if survivors := processes.of_stack(stack):
        raise UnavailableError(f"These processes of the stack cannot be ended: {sorted(survivors)}.")


def _clean_up(stack: Stack) -> None:
    """Removes what a running stack leaves in the file system, its socket folder outside `run` included."""
    for path in (
        configuration.pid_path(stack),
        configuration.config_path(stack),
        *stack.sockets.glob("*.sock*"),
    ):
        path.unlink(missing_ok=True)
    processes.forget_supervisor(stack)
    if stack.sockets != stack.run:
        shutil.rmtree(stack.sockets, ignore_errors=True)


def _check_same_settings(stack: Stack) -> None:
    started, asked = processes.settings_of_running(stack), stack.environment()
    if other := [f"{name}={value}" for name, value in started.items() if asked.get(name) != value]:
        raise SettingsError(
            f"The stack of {stack.home} already runs, with {' '.join(other)}. "
            "Set the same, or stop it first with 'make down'."
        )


def _check_installed(stack: Stack) -> None:
    needed = (stack.ml_python, stack.airflow_bin / "airflow", stack.airflow_bin / "supervisord")
    if missing := [str(path) for path in needed if not path.exists()]:
        raise SettingsError(
            f"Both environments must be installed, missing: {', '.join(missing)}. Run 'make setup'."
        )


def _show_addresses(stack: Stack, on_progress: OnProgress) -> None:
    on_progress(
        f"Airflow       {stack.airflow_url}  (user {credentials.ADMIN}, password in "
        f"{stack.secrets / credentials.USERS_FILE})"
    )
    on_progress(f"MLflow        {stack.mlflow_url}")
    on_progress(f"Model server  gRPC {stack.grpc_target}, REST {stack.rest_url}")
    for model in served.states(stack):
        on_progress(
            f"Model {model.model}: {model.problem or f'version {model.answers} is champion and answers'}"
        )


def _client(stack: Stack) -> SupervisorClient:
    return SupervisorClient(configuration.socket_path(stack))


@contextmanager
def _locked(stack: Stack, on_progress: OnProgress) -> Iterator[None]:
    """Holds the exclusive lock of this state folder's `up` and `down`; a second one waits."""
    with (stack.run / "control.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_progress("Waiting for another 'up' or 'down' to finish.")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
