"""Hands an answer that a person gave too early for Airflow to the task that asked."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.providers.standard.triggers.hitl import HITLTrigger
from airflow.triggers.base import TriggerEvent

SETTLE_S = 5.0


class EarlyAnswer(HITLTrigger):
    """Waits for an answer as the provider's trigger does, after a pause; an answer may be there already.

    The pause lets the scheduler notice that the task waits. It takes a task that goes on before that for one
    whose state was changed from outside, and fails it.
    """

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """As the provider's trigger, under this class's name."""
        return f"{type(self).__module__}.{type(self).__qualname__}", super().serialize()[1]

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Fires once, with the answer, or with the default when the time is up."""
        await asyncio.sleep(SETTLE_S)
        async for event in super().run():
            yield event
