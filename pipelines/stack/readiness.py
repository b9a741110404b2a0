"""Waits for the services to come up, and says which did not and why."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from components.errors import UnavailableError
from pipelines.stack.health import RUNNING, ServiceState, health, program_states
from pipelines.stack.settings import Stack
from pipelines.stack.supervision import log_path

POLL_S = 0.5
SHOWN_LOG_LINES = 15


def wait_until_ready(stack: Stack, report: Callable[[str], None], deadline_s: float) -> None:
    """Reports each service as it comes up and returns when all programs run and all services work.

    Raises:
        UnavailableError: The deadline passed, or supervisord gave a program up.
    """
    began = time.monotonic()
    told: set[str] = set()
    while True:
        states, elapsed_s = health(stack), time.monotonic() - began
        for service in (state.service for state in states if state.healthy and state.service not in told):
            told.add(service)
            report(f"{service} is up after {elapsed_s:.0f} s.")
        obstacles = _obstacles(states, program_states(stack))
        if not obstacles:
            return
        if "FATAL" in obstacles.values() or elapsed_s > deadline_s:
            raise UnavailableError(_explain(stack, obstacles, deadline_s))
        time.sleep(POLL_S)


def _obstacles(states: list[ServiceState], programs: dict[str, str]) -> dict[str, str]:
    """Program to what keeps it from being ready; not running says more than not answering."""
    silent = {state.program: state.detail for state in states if not state.healthy}
    idle = {program: state for program, state in programs.items() if state != RUNNING}
    return {**silent, **idle} if programs else {"supervisord": "does not answer"}


def _explain(stack: Stack, obstacles: dict[str, str], deadline_s: float) -> str:
    given_up = [program for program, detail in obstacles.items() if detail == "FATAL"]
    if given_up:
        what = f"{given_up[0]} ended each time it was started."
    else:
        named = ", ".join(f"{program} ({detail})" for program, detail in obstacles.items())
        what = f"Not up within {deadline_s:.0f} s: {named}."
    log = log_path(stack, (given_up or list(obstacles))[0])
    return f"{what} The last lines of {log}:\n{_tail(log)}"


def _tail(log: Path) -> str:
    try:
        with log.open(errors="replace") as lines:
            return "".join(deque(lines, maxlen=SHOWN_LOG_LINES)).rstrip()
    except OSError:
        return "(there is no log)"
