"""How an operator's work is launched: as a process of its own, in the ML environment.

`Runner` is the seam: an operator knows only these two methods, and another way to run the same work is
another class with them.
"""

import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol, TypeVar

from contract.worker_protocol import GRACE_S

GUARD = Path(__file__).with_name("guard.py")
SIGNAL_BASE = 128

LogLine = Callable[[str], None]
End = TypeVar("End")


class Runner(Protocol):
    """Runs one piece of work outside Airflow's process."""

    def run(self, log: LogLine) -> int:
        """Hands each line of output to `log` as it is written.

        Returns:
            The exit code; negative for the signal that ended the work.
        """

    def stop(self) -> None:
        """Asks the work to end and returns at once; called from a signal handler, so it must not log."""


class ProcessRunner:
    """Runs a command under a guard that ends it when it is stopped or when this process dies."""

    def __init__(
        self, command: list[str], *, cwd: Path, environment: Mapping[str, str], grace_s: float = GRACE_S
    ) -> None:
        self._command = [sys.executable, "-I", str(GUARD), str(grace_s), *command]
        self._cwd = cwd
        self._environment = dict(environment)
        self._guard: subprocess.Popen[str] | None = None
        self._stopped = False

    def run(self, log: LogLine) -> int:
        """Runs the command to its end; see `Runner.run`.

        Leaving early, as Airflow's time-out does by an exception, stops the command and waits for its end.
        """
        guard = self._start()
        try:
            self._relay(guard, log)
        finally:
            until_done(self.stop)
            until_done(lambda: self._relay(guard, log))
            code = until_done(guard.wait)
        return SIGNAL_BASE - code if code > SIGNAL_BASE else code

    def stop(self) -> None:
        """Closes the guard's standard input, which makes it end the command; see `Runner.stop`."""
        self._stopped = True
        if self._guard is not None and self._guard.stdin is not None:
            # A signal handler may get here while the input is being closed already.
            with suppress(RuntimeError):
                self._guard.stdin.close()

    def _start(self) -> "subprocess.Popen[str]":
        self._guard = subprocess.Popen(
            self._command,
            cwd=self._cwd,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            # Out of the task's process group, which Airflow signals as a whole.
            start_new_session=True,
        )
        if self._stopped:
            self.stop()
        return self._guard

    @staticmethod
    def _relay(guard: "subprocess.Popen[str]", log: LogLine) -> None:
        if guard.stdout is not None:
            for line in guard.stdout:
                log(line.rstrip("\n"))


def until_done(wait: Callable[[], End]) -> End:
    """Waits for the end of work that has been told to stop, whatever comes in between.

    An exception is not let through, a second signal's neither: whoever leaves before the work has ended lets
    the next attempt meet it. What makes the caller leave is on its way up already.
    """
    while True:
        with suppress(BaseException):
            return wait()
