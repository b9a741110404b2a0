"""The curves of a node while they grow. A training neither waits for MLflow nor loses a point to it."""

import logging
import time
from collections.abc import Callable, Mapping

logger = logging.getLogger(__name__)

PAUSE_S = 30.0  # after a failure, before the next attempt: a server that is gone costs seconds to ask

Send = Callable[[Mapping[str, float], int], None]


class MetricBuffer:
    """Sends points as they come; keeps those that could not be sent, for later.

    Args:
        send: Logs the metrics of one step.
        clock: Seconds, for the pause after a failure.
    """

    def __init__(self, send: Send, clock: Callable[[], float] = time.monotonic) -> None:
        self._send, self._clock = send, clock
        self._kept: list[tuple[Mapping[str, float], int]] = []
        self._silent_until = 0.0

    def add(self, metrics: Mapping[str, float], step: int) -> None:
        """Takes the metrics of a step and sends what there is, unless sending failed a moment ago."""
        self._kept.append((metrics, step))
        if self._clock() < self._silent_until:
            return
        try:
            self.flush()
        except Exception as error:
            self._silent_until = self._clock() + PAUSE_S
            logger.warning("MLflow gets the points of this curve later: %s", error)

    def flush(self) -> None:
        """Sends everything that was kept.

        Raises:
            Exception: Whatever sending raises; what was not sent is still kept.
        """
        while self._kept:
            self._send(*self._kept[0])
            del self._kept[0]
