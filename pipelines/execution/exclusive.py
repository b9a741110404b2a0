"""One attempt at a node at a time: whoever tries it again waits for the last write of whoever tries it still."""

import fcntl
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from contract.run_folder import RunFolder

logger = logging.getLogger(__name__)


@contextmanager
def exclusive(folder: RunFolder, node: str) -> Iterator[None]:
    """Holds a node of a run.

    An orchestrator that no longer hears from a worker tries its task again, while the worker may be well, and its node
    at work: the two would write each other's files. The lock is the kernel's, and goes with the process that holds it.

    """
    path = folder.lock_file(node)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            logger.warning(
                "An earlier attempt at %s of run %s still runs; waiting for its end", node, folder.run_id
            )
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
