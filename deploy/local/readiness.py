"""Waits for the services to come up, and says which did not and why."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from tenacity import Retrying, retry_if_result, wait_fixed

from contract.errors import UnavailableError
from deploy.local.health import RUNNING, ServiceState, health, program_states
from deploy.local.settings import Stack
from deploy.local.supervision.configuration import log_path

POLL_S = 0.5
SHOWN_LOG_LINES = 15


class Readiness:
    """Follows a start: reports each service once, as it comes up, and knows when the time is over.

    Args:
        stack: Which stack.
        on_progress: Gets one line for each service.
        deadline_s: How long all of them together may take, in seconds.
    """

    def __init__(self, stack: Stack, on_progress: Callable[[str], None], deadline_s: float) -> None:
        self._stack, self._on_progress, self._deadline_s = stack, on_progress, deadline_s
        self._began = time.monotonic()
        self._told: set[str] = set()

    def wait(self, program: str | None = None) -> None:
        """Returns when `program` works, or, without one, when all programs run and all services work.

        Raises:
            UnavailableError: The deadline passed, or supervisord gave a program up.
        """
        Retrying(retry=retry_if_result(bool), wait=wait_fixed(POLL_S))(self._look, program)

    def _look(self, program: str | None) -> bool:
        """Returns whether there is still something to wait for."""
        states, elapsed_s = health(self._stack), time.monotonic() - self._began
        for service in (
            state.service for state in states if state.healthy and state.service not in self._told
        ):
            self._told.add(service)
            self._on_progress(f"{service} is up after {elapsed_s:.0f} s.")
        obstacles = _obstacles(states, program_states(self._stack))
        if "FATAL" in obstacles.values() or (obstacles and elapsed_s > self._deadline_s):
            raise UnavailableError(_explain(self._stack, obstacles, self._deadline_s))
        return program in obstacles if program else bool(obstacles)


def _obstacles(states: list[ServiceState], programs: dict[str, str]) -> dict[str, str]:
    """Returns by program what keeps it from being ready; not running says more than not answering."""
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
