"""The life of one version of one model, and which step comes next for a model.

A new version loads while the old one serves; the old one goes only when a new one is ready. Pure: no
threads, no TensorFlow.
"""

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from serving.server.errors import ServingError


class Servable(Protocol):
    """A loaded version, as far as its life is concerned."""

    def close(self) -> None:
        """Gives back what the version holds."""


class State(enum.IntEnum):
    """What GetModelStatus reports; the numbers are those of ModelVersionStatus.State."""

    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclass
class VersionRecord:
    """Everything known about a version; guarded by the manager's lock.

    Attributes:
        aspired: Whether the configuration and the file system want this version served.
        error: Why loading failed; the state is END then.
        in_flight: Requests that use the version at this moment.
    """

    model: str
    version: int
    path: Path
    aspired: bool = True
    state: State = State.START
    error: ServingError | None = None
    servable: Servable | None = None
    in_flight: int = 0

    @property
    def ready(self) -> bool:
        """Whether requests can be answered."""
        return self.state is State.AVAILABLE

    @property
    def failed(self) -> bool:
        """Whether loading was given up."""
        return self.error is not None


@dataclass(frozen=True)
class Step:
    """What to do next, and with which version."""

    action: Literal["load", "unload"]
    record: VersionRecord


def next_step(records: Iterable[VersionRecord]) -> Step | None:
    """Chooses the next step of a model without ever leaving it unserved.

    Args:
        records: All versions of one model.

    Returns:
        The step, or None when nothing is to be done now.
    """
    known = list(records)
    aspired = [record for record in known if record.aspired]
    leaving = sorted((r for r in known if r.ready and not r.aspired), key=lambda r: r.version)
    may_unload = not aspired or any(record.ready for record in aspired) or len(leaving) > 1
    if leaving and may_unload:
        return Step("unload", leaving[0])
    waiting = [record for record in aspired if record.state is State.START]
    return Step("load", max(waiting, key=lambda r: r.version)) if waiting else None
