import asyncio
import datetime
import json
from contextlib import suppress

import pytest

from contract import inbox
from contract.inbox import Span
from dags.triggers import arrival
from dags.triggers.arrival import SpanArrived

FIRST, SECOND, THIRD = "2026-03-01", "2026-03-02", "2026-03-03"


class Store:
    """What Airflow keeps for the trigger, over its restarts: text, one key."""

    def __init__(self):
        self.kept, self._written = {}, asyncio.Condition()

    async def aget(self, key):
        return json.loads(self.kept[key]) if key in self.kept else None

    async def aset(self, key, value):
        async with self._written:
            self.kept[key] = json.dumps(value)
            self._written.notify_all()

    async def knows(self, *spans):
        async with self._written:
            await self._written.wait_for(lambda: json.loads(self.kept.get("spans", "null")) == list(spans))


class Watching:
    """A triggerer's life: the trigger runs until the block ends."""

    def __init__(self, store, folder):
        self.trigger = SpanArrived("nights", str(folder), "marker", 0)
        self.trigger.asset_state_store = store
        self.fired = asyncio.Queue()

    async def __aenter__(self):
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *error):
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _run(self):
        async for event in self.trigger.run():
            self.fired.put_nowait(event.payload["span"])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(arrival, "POLL_S", 0.02)
    bring(tmp_path, FIRST)
    return tmp_path


def bring(folder, *days):
    for day in days:
        inbox.bring(Span(datetime.date.fromisoformat(day), folder / day), lambda made: None)


def test_a_span_that_becomes_complete_fires_once_and_those_that_were_there_do_not(folder):
    async def watch():
        store = Store()
        async with Watching(store, folder) as watching:
            await store.knows(FIRST)
            (folder / THIRD).mkdir()  # still being written
            bring(folder, SECOND)
            assert await watching.fired.get() == SECOND
            await store.knows(FIRST, SECOND)
            (folder / THIRD / inbox.MARKER).touch()
            assert await watching.fired.get() == THIRD
            assert watching.fired.empty()

    asyncio.run(asyncio.wait_for(watch(), 20))


def test_what_arrives_while_nobody_looks_fires_afterwards(folder):
    async def watch():
        store = Store()
        async with Watching(store, folder):
            await store.knows(FIRST)
        bring(folder, SECOND)
        async with Watching(store, folder) as watching:
            assert await watching.fired.get() == SECOND

    asyncio.run(asyncio.wait_for(watch(), 20))


def test_an_inbox_that_is_not_there_yet_is_waited_for(folder):
    async def watch():
        store, later = Store(), folder / "later"
        async with Watching(store, later) as watching:
            await store.knows()
            bring(later, SECOND)
            assert await watching.fired.get() == SECOND

    asyncio.run(asyncio.wait_for(watch(), 20))


def test_a_trigger_is_made_again_from_what_airflow_keeps_of_it():
    path, told = SpanArrived("nights", "/inbox", "settled", 60).serialize()
    assert path == "dags.triggers.arrival.SpanArrived"
    assert SpanArrived(**told).serialize() == (path, told)
