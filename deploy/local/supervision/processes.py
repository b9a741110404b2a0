"""Finds and ends the processes of one stack, and no others, whatever became of the supervisor. Reads /proc.

A process belongs to the stack when one of these holds:
- its environment has the marker of this state folder (whatever our programs start inherits it),
- it is in the supervisor's session and works in the project folder (Airflow overwrites the memory that
  /proc/<pid>/environ shows when it sets its title),
- it descends from such a process.
"""

from __future__ import annotations

import json
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local.settings import Stack
from deploy.local.supervision.programs import MARKER

PROC = Path("/proc")
POLL_S = 0.1


@dataclass(frozen=True)
class Process:
    """One line of /proc/<pid>/stat.

    Attributes:
        pid: Process id.
        parent: Its parent's id.
        session: The id of its session's leader.
        started: Clock ticks since boot; with the id it tells a process from a later one of the same id.
    """

    pid: int
    parent: int
    session: int
    started: int


def remember_supervisor(stack: Stack, pid: int) -> None:
    """Notes which supervisor was started with which settings: its session is known even after it was killed."""
    if process := _read(pid):
        settings = stack.environment()
        record = {"pid": pid, "started": process.started, "boot": _boot_id(), "settings": settings}
        _record_path(stack).write_text(json.dumps(record))


def forget_supervisor(stack: Stack) -> None:
    """Takes that note away; the stack is down."""
    _record_path(stack).unlink(missing_ok=True)


def settings_of_running(stack: Stack) -> dict[str, str]:
    """The variables that the running stack was started with; empty where that is not known."""
    return dict(_record(stack).get("settings", {}))


def of_stack(stack: Stack) -> set[int]:
    """The ids of this stack's live processes; empty when nothing is left."""
    everything = {process.pid: process for process in map(_read, _pids()) if process}
    session = _remembered_session(stack, everything)
    found = {
        pid
        for pid, process in everything.items()
        if _marked(pid, stack) or _in_session(process, session, stack)
    }
    found.discard(os.getpid())
    while grown := {p.pid for p in everything.values() if p.parent in found} - found - {os.getpid()}:
        found |= grown
    return found


def wait_until_gone(stack: Stack, timeout_s: float) -> set[int]:
    """Waits for the stack's last process to end; returns the ids of those that have not."""
    deadline = time.monotonic() + timeout_s
    while (alive := of_stack(stack)) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    return alive


def wait_for_end(pid: int, timeout_s: float) -> None:
    """Waits until one process has ended, or the time is over."""
    deadline = time.monotonic() + timeout_s
    while _read(pid) and time.monotonic() < deadline:
        time.sleep(POLL_S)


def end(stack: Stack, patience_s: float = 5) -> int:
    """Ends what is left of the stack, by TERM and after `patience_s` by KILL; returns how many there were."""
    left = of_stack(stack)
    count = len(left)
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in left:
            _send(pid, number)
        left = wait_until_gone(stack, patience_s)
    return count


def command_line(pid: int) -> str:
    """What a process calls itself, for messages."""
    try:
        return (
            (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        )
    except OSError:
        return ""


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _pids() -> list[int]:
    return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()]


def _read(pid: int) -> Process | None:
    try:
        text = (PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    # The name, in parentheses, may hold anything. Then: state, parent, group, session, ..., start (22nd).
    state, parent, _, session, *rest = text.rpartition(")")[2].split()
    return None if state in "ZX" else Process(pid, int(parent), int(session), int(rest[15]))


def _marked(pid: int, stack: Stack) -> bool:
    try:
        variables = (PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return False
    return os.fsencode(f"{MARKER}={stack.home}") in variables


def _in_session(process: Process, session: int | None, stack: Stack) -> bool:
    if session is None or process.session != session:
        return False
    try:
        return (PROC / str(process.pid) / "cwd").readlink() == stack.project
    except OSError:
        return False


def _remembered_session(stack: Stack, everything: dict[int, Process]) -> int | None:
    """The session of the last supervisor, unless its id means another process by now."""
    record = _record(stack)
    if not record or record["boot"] != _boot_id():
        return None
    leader = everything.get(record["pid"])
    reused = leader is not None and leader.started != record["started"]
    return None if reused else int(record["pid"])


def _record(stack: Stack) -> dict[str, Any]:
    try:
        return dict(json.loads(_record_path(stack).read_text()))
    except (OSError, ValueError):
        return {}


def _record_path(stack: Stack) -> Path:
    return stack.run / "supervisor.json"


def _boot_id() -> str:
    return (PROC / "sys/kernel/random/boot_id").read_text().strip()
