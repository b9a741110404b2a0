"""Writes supervisord's configuration and starts it. Knows nothing of what the programs do."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template

from contract import files
from contract.errors import UnavailableError
from deploy.local.settings import Stack
from deploy.local.supervision.programs import MARKER, Program, Start, shared_environment
from pipelines.lineage import metadata_uri

HERE = Path(__file__).parent
START_TIMEOUT_S = 60


def config_path(stack: Stack) -> Path:
    """Where supervisord's configuration lies."""
    return stack.run / "supervisord.conf"


def socket_path(stack: Stack) -> Path:
    """Where supervisord listens."""
    return stack.sockets / "supervisor.sock"


def pid_path(stack: Stack) -> Path:
    """Where supervisord writes its process id."""
    return stack.run / "supervisord.pid"


def log_path(stack: Stack, program: str) -> Path:
    """Where a program's output goes."""
    return stack.logs / f"{program}.log"


def render(stack: Stack, programs: Sequence[Program]) -> str:
    """The whole supervisord.conf."""
    head = _fill(
        "supervisord.conf.template",
        socket=str(socket_path(stack)),
        log=str(log_path(stack, "supervisord")),
        pid_file=str(pid_path(stack)),
        project=str(stack.project),
    )
    return head + "".join(_render_program(stack, program) for program in programs)


def write_config(stack: Stack, programs: Sequence[Program]) -> None:
    """Writes the configuration; it holds secrets, so it is private from its first byte on."""
    files.write(config_path(stack), render(stack, programs), mode=0o600)


def start_supervisord(stack: Stack) -> None:
    """Starts supervisord in the background; when this returns it answers on its socket.

    Raises:
        UnavailableError: It did not start; the message has what it printed.
    """
    started = subprocess.run(
        [str(stack.airflow_bin / "supervisord"), "--configuration", str(config_path(stack))],
        env=_own_environment(stack),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=START_TIMEOUT_S,
        check=False,
    )
    if started.returncode != 0:
        raise UnavailableError(
            f"supervisord did not start (exit code {started.returncode}): {started.stderr.strip()}\n"
            f"Its log is {log_path(stack, 'supervisord')}."
        )


def _own_environment(stack: Stack) -> dict[str, str]:
    """What supervisord gets, and every program from it: no password that only some of them need."""
    kept = {name: value for name, value in os.environ.items() if name != metadata_uri.VARIABLE}
    return {**kept, MARKER: str(stack.home)}


def _render_program(stack: Stack, program: Program) -> str:
    return _fill(
        "program.conf.template",
        name=program.name,
        command=shlex.join(program.command),
        environment=_assignments({**shared_environment(stack), **program.environment}),
        autostart="true" if program.start is Start.AT_ONCE else "false",
        stop_wait_s=str(program.stop_wait_s),
        log=str(log_path(stack, program.name)),
        project=str(stack.project),
    )


def _assignments(environment: Mapping[str, str]) -> str:
    return ",".join(f'{name}="{value}"' for name, value in environment.items())


def _fill(template: str, **values: str) -> str:
    """Fills a template in; a percent sign in a value is one sign for supervisord only when doubled."""
    escaped = {name: value.replace("%", "%%") for name, value in values.items()}
    return Template((HERE / template).read_text()).substitute(escaped)
