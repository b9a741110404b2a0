"""What a release reads and changes: the registry, the model server, and the folder of the versions that it serves."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from serving.client import Client
from serving.registry.registry import Registry
from serving.registry.version import Roles
from serving.release.model_server import LOCK_FILE, ModelServer, exclusive_lock
from serving.release.transition import Transition


def _unwatched(step: str) -> None:
    """Nobody watches."""


@dataclass(frozen=True)
class ReleaseTarget:
    """Where the desired state is read, and where it is applied.

    Everything is decided under the lock of a model, from what is read under it. Models have locks of their own: one
    never holds up another.

    Attributes:
        registry: The desired state.
        client: Connection to the model server.
        models_dir: Holds `<model>/<version>/` and `models.config`.
        load_timeout_s: How long a version may take to become AVAILABLE, in seconds.
        step: Called with the name of each step of a release when it is done.
    """

    registry: Registry
    client: Client
    models_dir: Path
    load_timeout_s: float = 120.0
    step: Callable[[str], None] = _unwatched

    @property
    def server(self) -> ModelServer:
        """The model server and its configuration."""
        return ModelServer(self.client, self.models_dir, self.load_timeout_s)

    def transition(self, model: str) -> Transition:
        """Returns what changes one model; used under its lock."""
        return Transition(model, self.registry, self.server, self.step)

    @contextmanager
    def exclusive(self, model: str) -> Iterator[Roles]:
        """Holds the lock of a model, after an interrupted release of it has been completed or rolled back."""
        with exclusive_lock(self.models_dir / model / LOCK_FILE):
            self.transition(model).recover()
            yield self.registry.roles(model)
