"""Live progress: a table that is redrawn on a terminal, plain lines in a log."""

import sys
import time
from types import TracebackType
from typing import Any

COLOURS = {
    "success": "green",
    "failed": "red",
    "upstream_failed": "red",
    "skipped": "magenta",
    "running": "cyan",
    "up_for_retry": "yellow",
}


class Progress:
    """Shows how far each task is.

    Args:
        title: Above the table.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self.states: dict[str, str] = {}
        self.started: dict[str, float] = {}
        self.took: dict[str, float] = {}
        self._live: Any = None

    def __enter__(self) -> "Progress":
        if sys.stdout.isatty():
            from rich.live import Live

            self._live = Live(get_renderable=self._table, refresh_per_second=4)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def update(self, task: str, state: str, seconds: float | None = None) -> None:
        """Notes the state of a task; `seconds` is how long it took, where somebody else measured it."""
        if self.states.get(task) == state:
            return
        now = time.monotonic()
        self.states[task] = state
        if state == "running":
            self.started[task] = now
        elif task in self.started or seconds is not None:
            self.took[task] = seconds if seconds is not None else now - self.started[task]
        if self._live is None:
            took = f" ({self.took[task]:.1f} s)" if task in self.took else ""
            sys.stdout.write(f"{time.strftime('%H:%M:%S')} {task}: {state}{took}\n")
            sys.stdout.flush()

    def _table(self) -> Any:
        from rich.table import Table

        drawn = Table("task", "state", "seconds", title=self.title, title_justify="left")
        for task, state in self.states.items():
            seconds = self.took.get(task)
            if seconds is None and state == "running":
                seconds = time.monotonic() - self.started[task]
            colour = COLOURS.get(state, "white")
            drawn.add_row(task, f"[{colour}]{state}[/{colour}]", "" if seconds is None else f"{seconds:.1f}")
        return drawn
