"""Finds and ends the processes of one stack, and no others, whatever became of the supervisor.

A process belongs to the stack when one of these holds:
- its environment has the marker of this state folder (whatever our programs start inherits it),
- it is in the supervisor's session and works in the project folder (Airflow overwrites the memory from which
  the system tells a process's environment when it sets its title),
- it descends from such a process.
"""

from __future__ import annotations

import json
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from contract import files
from deploy.local.settings import Stack
from deploy.local.supervision.programs import MARKER

POLL_S = 0.1
SAME_START_S = 2.0  # the system tells the time of its own start in whole seconds
GONE = (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)  # ended, and whoever started it has not asked


def remember_supervisor(stack: Stack, pid: int) -> None:
    """Notes which supervisor was started with which settings: its session is known even after it was killed."""
    with suppress(psutil.NoSuchProcess):
        record = {"pid": pid, "started": _started(pid), "boot": _boot_id(), "settings": stack.environment()}
        files.write(_record_path(stack), json.dumps(record))


def forget_supervisor(stack: Stack) -> None:
    """Takes that note away; the stack is down."""
    _record_path(stack).unlink(missing_ok=True)


def settings_of_running(stack: Stack) -> dict[str, str]:
    """Returns the variables that the running stack was started with; empty where that is not known."""
    return dict(_record(stack).get("settings", {}))


def of_stack(stack: Stack) -> set[int]:
    """Returns the ids of this stack's live processes; empty when nothing is left."""
    listed = psutil.process_iter(["ppid", "status"])
    alive = [p for p in listed if p.info["status"] not in GONE and p.pid != os.getpid()]
    session = _remembered_session(stack)
    found = {p.pid for p in alive if _marked(p, stack) or _in_session(p, session, stack)}
    while grown := {p.pid for p in alive if p.info["ppid"] in found} - found:
        found |= grown
    return found


def wait_until_gone(stack: Stack, timeout_s: float) -> set[int]:
    """Waits for the stack's last process to end; returns the ids of those that have not."""
    return _until_false(timeout_s)(of_stack, stack)


def wait_for_end(pid: int, timeout_s: float) -> None:
    """Waits until one process has ended, or the time is over."""
    _until_false(timeout_s)(_lives, pid)


def end(stack: Stack, patience_s: float = 5) -> int:
    """Ends what is left of the stack, by TERM and after `patience_s` by KILL; returns how many there were."""
    left = of_stack(stack)
    count = len(left)
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in left:
            with suppress(psutil.NoSuchProcess):
                psutil.Process(pid).send_signal(number)
        left = wait_until_gone(stack, patience_s)
    return count


def _until_false(timeout_s: float) -> Retrying:
    """Asks again until the answer is false or empty; when the time is over, the last one is returned."""
    return Retrying(
        retry=retry_if_result(bool),
        wait=wait_fixed(POLL_S),
        stop=stop_after_delay(timeout_s),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
    )


def _lives(pid: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() not in GONE
    return False


def _marked(process: psutil.Process, stack: Stack) -> bool:
    with suppress(psutil.Error):
        return process.environ().get(MARKER) == str(stack.home)
    return False


def _in_session(process: psutil.Process, session: int | None, stack: Stack) -> bool:
    if session is None:
        return False
    with suppress(psutil.Error, ProcessLookupError):
        return os.getsid(process.pid) == session and process.cwd() == str(stack.project)
    return False


def _remembered_session(stack: Stack) -> int | None:
    """Returns the session of the last supervisor, unless its id means another process by now."""
    record = _record(stack)
    if not record or record["boot"] != _boot_id():
        return None
    with suppress(psutil.NoSuchProcess):  # killed: what it started is still in its session
        if abs(_started(record["pid"]) - record["started"]) > SAME_START_S:
            return None
    return int(record["pid"])


def _started(pid: int) -> float:
    """Returns when a process started, in seconds after the system did: unlike the time of day, nobody sets that."""
    return psutil.Process(pid).create_time() - psutil.boot_time()


def _record(stack: Stack) -> dict[str, Any]:
    try:
        return dict(json.loads(_record_path(stack).read_text()))
    except (OSError, ValueError):
        return {}


def _record_path(stack: Stack) -> Path:
    return stack.run / "supervisor.json"


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
