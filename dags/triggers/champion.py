"""Watches MLflow's registry, and says so when a person has moved the alias `champion`."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from dags.triggers.registry import Model, Registry, RegistryError

POLL_S = 2.0
WATERMARK = "champions"


class ChampionMoved(BaseEventTrigger):
    """Fires once for each model whose alias somebody other than Slipway has moved, with model and version.

    Airflow keeps the watermark, each model's champion and live version as they were seen last, so that a restart
    fires nothing twice. Without one, only an alias that is not on the version that Slipway made live fires.
    """

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The same for every instance: Airflow runs a single one, whatever DAGs wait for it."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Looks every `POLL_S` seconds, for ever."""
        stored = watermark = await self._recall()
        in_reach = True
        async with Registry() as registry:
            while True:
                try:
                    moved, watermark = await look(registry, watermark)
                except RegistryError as error:
                    moved, was_in_reach, in_reach = [], in_reach, False
                    if was_in_reach:
                        self.log.warning("%s. No moved alias starts a release until it does.", error)
                else:
                    in_reach = True
                for model in moved:
                    self.log.info("The alias champion of %s is now on version %s", model.name, model.champion)
                    yield TriggerEvent({"model": model.name, "version": model.champion})
                await asyncio.sleep(POLL_S)
                # One round late, when Airflow has stored the events: dying in between fires twice, not never.
                if watermark != stored:
                    await self._remember(watermark)
                    stored = watermark

    async def _recall(self) -> dict[str, str]:
        found = await self.asset_state_store.aget(WATERMARK) if self.asset_state_store else None
        return {model: str(seen) for model, seen in found.items()} if isinstance(found, dict) else {}

    async def _remember(self, watermark: dict[str, str]) -> None:
        if self.asset_state_store:
            await self.asset_state_store.aset(WATERMARK, {**watermark})


async def look(registry: Registry, watermark: dict[str, str]) -> tuple[list[Model], dict[str, str]]:
    """Finds the models whose alias was moved by hand since the watermark.

    Returns:
        Those models, and the new watermark.

    Raises:
        RegistryError: If MLflow does not answer; the watermark then stays.
    """
    moved, champions = [], {}
    for model in await registry.models():
        since = watermark.get(model.name)
        if model.moved_by_hand(since):
            # MLflow reads tags before aliases, Slipway writes the tag before the alias: a second look sees both.
            model = await registry.model(model.name)
            if model.moved_by_hand(since):
                moved.append(model)
        if (mark := model.mark(since)) is not None:
            champions[model.name] = mark
    return moved, champions
