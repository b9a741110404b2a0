"""Writes supervisord's configuration. Knows nothing of what the programs do."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template

from contract import files
from deploy.local.settings import Stack
from deploy.local.supervision.programs import Program, Start, shared_environment

HERE = Path(__file__).parent


def config_path(stack: Stack) -> Path:
    """Returns where supervisord's configuration lies."""
    return stack.run / "supervisord.conf"


def socket_path(stack: Stack) -> Path:
    """Returns where supervisord listens."""
    return stack.sockets / "supervisor.sock"


def pid_path(stack: Stack) -> Path:
    """Returns where supervisord writes its process id."""
    return stack.run / "supervisord.pid"


def log_path(stack: Stack, program: str) -> Path:
    """Returns where a program's output goes."""
    return stack.logs / f"{program}.log"


def render(stack: Stack, programs: Sequence[Program]) -> str:
    """Returns the whole supervisord.conf."""
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
