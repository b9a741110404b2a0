"""Watches the inbox of a pipeline, and says so when a span has become complete."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from contract import inbox
from contract.errors import DataError
from contract.inbox import Completion
from contract.state import StateFolder

POLL_S = 10.0
WATERMARK = "spans"


class SpanArrived(BaseEventTrigger):
    """Fires once for each span that becomes complete, with its date.

    Airflow keeps the watermark, the spans that were complete when it looked last: what arrives while it is down fires
    later, and a restart fires nothing twice. What is there when it looks for the first time fires nothing.

    Args:
        pipeline: Whose inbox.
        folder: Of the inbox; that of the pipeline in the state folder where it is empty.
        complete: When a span is complete: see `inbox.look`.
        settle_s: Likewise.
    """

    def __init__(self, pipeline: str, folder: str, complete: Completion, settle_s: float) -> None:
        super().__init__()
        self.pipeline, self.folder, self.complete, self.settle_s = pipeline, folder, complete, settle_s

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """By what tells it from others."""
        told = {name: getattr(self, name) for name in ("pipeline", "folder", "complete", "settle_s")}
        return f"{type(self).__module__}.{type(self).__qualname__}", told

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Looks every `POLL_S` seconds, for ever."""
        stored = await self._recall()
        readable = True
        while True:
            try:
                there = await asyncio.to_thread(self._look)
            except DataError as error:
                there, was_readable, readable = stored or [], readable, False
                if was_readable and stored is not None:
                    self.log.warning("%s Until then no arrival starts a run.", error)
            else:
                readable = True
            for span in [] if stored is None else [each for each in there if each not in stored]:
                self.log.info("Span %s of %s is complete", span, self.pipeline)
                yield TriggerEvent({"pipeline": self.pipeline, "span": span})
            await asyncio.sleep(POLL_S)
            # One round late, when Airflow has stored the events: dying in between fires twice, not never.
            if there != stored:
                await self._remember(there)
                stored = there

    def _look(self) -> list[str]:
        root = Path(self.folder) if self.folder else StateFolder.from_environment().inbox / self.pipeline
        return [str(span) for span in inbox.look(root, self.complete, self.settle_s, time.time()).complete]

    async def _recall(self) -> list[str] | None:
        found = await self.asset_state_store.aget(WATERMARK) if self.asset_state_store else None
        return [str(span) for span in found] if isinstance(found, list) else None

    async def _remember(self, spans: list[str]) -> None:
        if self.asset_state_store:
            await self.asset_state_store.aset(WATERMARK, [*spans])
