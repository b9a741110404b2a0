"""An event loop that answers calls: what of a call runs on it, what on its threads, and how it hears from others."""

import asyncio
import os
import selectors
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from serving.server.errors import ServingError
from serving.server.execution.batching.pieces import Arrays, Done

T = TypeVar("T")

# A client that waits for its answer before it asks again leaves the loop alone for longer than this; of many, one
# comes right after the other.
_LULL_S = 0.0002


# How long the loop looks out for a lone client's next call: the client has its answer and has asked again by then.
_LOOKOUT_S = 0.001
_CORES = 2  # at least: one for the loop, one for everybody else


_CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")  # quota and period in µs: cgroups(7), version 2


def cores(quota: Path = _CPU_QUOTA) -> float:
    """Returns how many cores this process may use, or the part of one.

    Args:
        quota: File of its control group, where there is one.
    """
    allowed = float(len(os.sched_getaffinity(0)))
    limit, _, period = quota.read_text().partition(" ") if quota.is_file() else ("max", "", "")
    return allowed if limit == "max" else min(allowed, int(limit) / int(period))


class Lookout(selectors.DefaultSelector):
    """What a loop waits with: for a moment it looks out for the next event, before it sleeps until one comes.

    To wake a thread takes as long as a small call, and a processor that slept in between is slow at first. Where there
    is no second core, it only sleeps: a client on the same one would wait for it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._has_room, self._until = cores() >= _CORES, 0.0

    def look_out(self) -> None:
        """From now on, for the moment that the next call of a lone client takes to come."""
        if self._has_room:
            self._until = time.perf_counter() + _LOOKOUT_S

    def look_away(self) -> None:
        """From now on no longer: a thread is about to work, and would wait for the interpreter again and again."""
        self._until = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Returns what is ready; as the selectors of the standard library do."""
        if timeout is None or timeout > 0:
            while time.perf_counter() < self._until:
                if found := super().select(0):
                    return found
        return super().select(timeout)


class EventLoop:
    """The loop, its threads, and answers from threads that it does not know.

    Args:
        running: The loop.
        lookout: What it waits with, if that can look out.
    """

    def __init__(self, running: asyncio.AbstractEventLoop, lookout: Lookout | None = None) -> None:
        self.running = running
        self._lookout = lookout or Lookout()
        self._under_way = 0
        self._ended_at = 0.0
        self._turn = threading.Lock()
        self._arrived: list[tuple[asyncio.Future[Any], Arrays | None, ServingError | None]] = []

    async def elsewhere(self, work: Callable[..., T], *arguments: Any) -> T:
        """Runs what takes long on a thread of the loop."""
        self._under_way += 1
        self._lookout.look_away()
        try:
            return await self.running.run_in_executor(None, work, *arguments)
        finally:
            self._under_way -= 1
            self._ended_at = time.perf_counter()

    def here(self, work: Callable[..., T], *arguments: Any) -> T:
        """Runs what is over soon on the loop itself: the way to a thread and back takes as long as a small model."""
        try:
            return work(*arguments)
        finally:
            self._ended_at = time.perf_counter()
            self._lookout.look_out()

    def is_idle(self) -> bool:
        """Whether nobody else seems to wait: nothing is under way elsewhere, and the last call ended a while ago."""
        return not self._under_way and time.perf_counter() - self._ended_at > _LULL_S

    async def delivered(self, submit: Callable[[Done], Callable[[], None]]) -> Arrays:
        """Awaits what a run on threads of its own gives.

        Args:
            submit: Begins the run, is told where its answer goes, and returns what takes it back: that is called if
                who asks has gone.

        Raises:
            ServingError: Whatever the run ends with.
        """
        answer: asyncio.Future[Arrays] = self.running.create_future()
        self._lookout.look_away()
        withdraw = submit(partial(self.put, answer))
        try:
            return await answer
        except asyncio.CancelledError:
            withdraw()
            raise

    def put(self, answer: "asyncio.Future[Arrays]", found: Arrays | None, error: ServingError | None) -> None:
        """Takes a result, or the error, from any thread.

        All that there are each time the loop wakes up are handed over: waking it takes as long as a small call.
        """
        with self._turn:
            self._arrived.append((answer, found, error))
            is_first = len(self._arrived) == 1
        if is_first:
            self.running.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        with self._turn:
            arrived, self._arrived = self._arrived, []
        for answer, found, error in arrived:
            if answer.done():
                continue  # who asked has gone
            if error is None:
                answer.set_result(found)
            else:
                answer.set_exception(error)
