"""Writes supervisord's configuration. Knows nothing of what the programs do."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template

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
    path = config_path(stack)
    unfinished = path.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(render(stack, programs))
    unfinished.replace(path)


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
