import asyncio
from contextlib import suppress

import pytest

from dags.triggers import champion, registry
from dags.triggers.champion import ChampionMoved
from dags.triggers.registry import Model


@pytest.fixture(autouse=True)
def often(monkeypatch):
    monkeypatch.setattr(champion, "POLL_S", 0.02)


async def knows(store, model, version):
    """Waits until the watermark of a model is this version."""
    await store.until("champions", lambda seen: (seen or {}).get(model, "").split(" ")[0] == str(version))


async def say_something_else(mlflow, watching):
    """Moves the alias of a model for this purpose, and waits for that: all that lies before it was seen."""
    mlflow.add("control", live_version="1")
    mlflow.champion("control", 2)
    assert await watching.next() == {"model": "control", "version": "2"}
    await knows(watching.trigger.asset_state_store, "control", 2)


def test_a_moved_alias_fires_once_with_model_and_version(mlflow, store):
    async def story():
        mlflow.add("digits", live_version="1")
        mlflow.champion("digits", 1)
        async with store.watched_by(ChampionMoved()) as watching:
            await knows(store, "digits", 1)
            mlflow.champion("digits", 2)
            assert await watching.next() == {"model": "digits", "version": "2"}
            await say_something_else(mlflow, watching)

    asyncio.run(story())


def test_what_slipway_itself_promotes_fires_nothing(mlflow, store):
    async def story():
        mlflow.add("digits", live_version="1")
        mlflow.champion("digits", 1)
        async with store.watched_by(ChampionMoved()) as watching:
            await knows(store, "digits", 1)
            mlflow.live("digits", 2)
            mlflow.champion("digits", 2)
            await knows(store, "digits", 2)
            await say_something_else(mlflow, watching)

    asyncio.run(story())


def test_an_alias_that_is_moved_back_right_after_slipway_moved_it_is_not_missed():
    before = Model("digits", "1", "1").mark(None)
    back = Model(
        "digits", "1", "3"
    )  # Slipway made 3 live, and a person moved the alias back, between two looks
    assert not back.moved_by_hand(before), "it may be that Slipway is about to move the alias"
    waiting = back.mark(before)
    assert back.moved_by_hand(waiting)
    assert not back.moved_by_hand(back.mark(waiting)), "it fires once"


def test_slipway_between_its_tag_and_its_alias_fires_nothing():
    before = Model("digits", "1", "1").mark(None)
    between = Model("digits", "1", "3").mark(before)
    after = Model("digits", "3", "3")
    assert not after.moved_by_hand(between)
    assert after.mark(between) == "3 3"


def test_a_restart_fires_nothing_twice_and_misses_nothing(mlflow, store):
    async def story():
        mlflow.add("digits", 3, live_version="1")
        mlflow.champion("digits", 2)
        async with store.watched_by(ChampionMoved()) as watching:
            assert await watching.next() == {"model": "digits", "version": "2"}
            await knows(store, "digits", 2)
        async with store.watched_by(ChampionMoved()) as watching:
            await say_something_else(mlflow, watching)
        mlflow.champion("digits", 3)
        async with store.watched_by(ChampionMoved()) as watching:
            assert await watching.next() == {"model": "digits", "version": "3"}

    asyncio.run(story())


def test_dying_before_airflow_has_the_event_fires_it_again(mlflow, store):
    async def story():
        mlflow.add("digits", live_version="1")
        mlflow.champion("digits", 2)
        trigger = ChampionMoved()
        trigger.asset_state_store = store
        running = trigger.run()
        await anext(running)
        await running.aclose()
        async with store.watched_by(ChampionMoved()) as watching:
            assert await watching.next() == {"model": "digits", "version": "2"}

    asyncio.run(story())


def test_without_a_watermark_an_alias_on_the_live_version_fires_nothing(mlflow, store):
    async def story():
        mlflow.add("digits", live_version="2")
        mlflow.champion("digits", 2)
        async with store.watched_by(ChampionMoved()) as watching:
            await say_something_else(mlflow, watching)

    asyncio.run(story())


def test_a_deleted_alias_other_aliases_and_the_models_of_others_fire_nothing(mlflow, store):
    async def story():
        mlflow.add("digits", live_version="1")
        mlflow.champion("digits", 1)
        mlflow.add("somebody-elses")
        async with store.watched_by(ChampionMoved()) as watching:
            await knows(store, "digits", 1)
            mlflow.challenger("digits", 2)
            mlflow.drop_champion("digits")
            mlflow.champion("somebody-elses", 2)
            await say_something_else(mlflow, watching)

    asyncio.run(story())


def test_a_model_that_was_registered_but_never_live_is_watched(mlflow, store):
    async def story():
        mlflow.add("digits", pipeline="digits")
        async with store.watched_by(ChampionMoved()) as watching:
            mlflow.champion("digits", 1)
            assert await watching.next() == {"model": "digits", "version": "1"}

    asyncio.run(story())


def test_every_page_of_the_registry_is_read(mlflow, monkeypatch):
    monkeypatch.setattr(registry, "PAGE", 2)
    for name in "abcde":
        mlflow.add(name, 1, pipeline=name)

    async def names():
        async with registry.Registry() as asked:
            return [model.name for model in await asked.models()]

    assert sorted(asyncio.run(names())) == ["a", "b", "c", "d", "e"]


def test_tags_that_were_read_before_slipway_wrote_them_are_read_again(mlflow, monkeypatch):
    mlflow.add("digits", live_version="1")
    mlflow.champion("digits", 2)

    async def stale(asked):
        """What a look sees that reads the tag just before Slipway writes it, and the alias just after."""
        found = await models(asked)
        mlflow.live("digits", 2)
        return found

    models = registry.Registry.models
    monkeypatch.setattr(registry.Registry, "models", stale)

    async def look():
        async with registry.Registry() as asked:
            return await champion.look(asked, {"digits": "1 1"})

    assert asyncio.run(look()) == ([], {"digits": "2 2"})


class Gate:
    """Stands before MLflow: lets every answer through, or closes the connection."""

    def __init__(self, url):
        self.open, self._port = False, int(url.rpartition(":")[2])
        self.turned_away = asyncio.Semaphore(0)

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *error):
        self._server.close()

    async def _serve(self, reader, writer):
        if self.open:
            behind, before = await asyncio.open_connection("127.0.0.1", self._port)
            await asyncio.gather(pass_on(reader, before), pass_on(behind, writer))
        else:
            self.turned_away.release()
        writer.close()


async def pass_on(reader, writer):
    with suppress(asyncio.CancelledError):
        while block := await reader.read(1 << 16):
            writer.write(block)
            await writer.drain()
    writer.close()


def test_an_unreachable_mlflow_is_said_once_per_outage_and_watched_on(mlflow, store, monkeypatch, capfd):
    async def story():
        mlflow.add("digits", live_version="1")
        async with Gate(mlflow.url) as gate:
            monkeypatch.setenv("MLFLOW_TRACKING_URI", gate.url)
            async with store.watched_by(ChampionMoved()) as watching:
                for _ in range(5):
                    await gate.turned_away.acquire()
                gate.open = True
                mlflow.champion("digits", 2)
                assert await watching.next() == {"model": "digits", "version": "2"}

    asyncio.run(story())

    assert capfd.readouterr().out.count("No moved alias starts a release until it does") == 1
