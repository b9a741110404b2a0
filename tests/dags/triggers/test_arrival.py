import asyncio
import datetime

import pytest

from contract import inbox
from contract.inbox import Span
from dags.triggers import arrival
from dags.triggers.arrival import SpanArrived

FIRST, SECOND, THIRD = "2026-03-01", "2026-03-02", "2026-03-03"


def arrivals(folder):
    return SpanArrived("nights", str(folder), "marker", 0)


async def knows(store, *spans):
    """Waits until the watermark is these spans."""
    await store.until("spans", lambda seen: seen == list(spans))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(arrival, "POLL_S", 0.02)
    bring(tmp_path, FIRST)
    return tmp_path


def bring(folder, *days):
    for day in days:
        inbox.bring(Span(datetime.date.fromisoformat(day), folder / day), lambda made: None)


def test_a_span_that_becomes_complete_fires_once_and_those_that_were_there_do_not(folder, store):
    async def watch():
        async with store.watched_by(arrivals(folder)) as watching:
            await knows(store, FIRST)
            (folder / THIRD).mkdir()  # still being written
            bring(folder, SECOND)
            assert (await watching.next())["span"] == SECOND
            await knows(store, FIRST, SECOND)
            (folder / THIRD / inbox.MARKER).touch()
            assert (await watching.next())["span"] == THIRD
            assert watching.fired.empty()

    asyncio.run(asyncio.wait_for(watch(), 20))


def test_what_arrives_while_nobody_looks_fires_afterwards(folder, store):
    async def watch():
        async with store.watched_by(arrivals(folder)):
            await knows(store, FIRST)
        bring(folder, SECOND)
        async with store.watched_by(arrivals(folder)) as watching:
            assert (await watching.next())["span"] == SECOND

    asyncio.run(asyncio.wait_for(watch(), 20))


def test_an_inbox_that_is_not_there_yet_is_waited_for(folder, store):
    async def watch():
        later = folder / "later"
        async with store.watched_by(arrivals(later)) as watching:
            await knows(store)
            bring(later, SECOND)
            assert (await watching.next())["span"] == SECOND

    asyncio.run(asyncio.wait_for(watch(), 20))


def test_a_trigger_is_made_again_from_what_airflow_keeps_of_it():
    path, told = SpanArrived("nights", "/inbox", "settled", 60).serialize()
    assert path == "dags.triggers.arrival.SpanArrived"
    assert SpanArrived(**told).serialize() == (path, told)
