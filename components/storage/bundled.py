"""Files that a library brings along."""

from collections.abc import Iterator
from importlib import metadata

from components.source import Entry
from components.storage.local import Local


def entries(library: str, name: str) -> Iterator[Entry]:
    """Yields the state of a file of an installed library, which is not imported for it.

    Args:
        library: What it is called where it is installed from.
        name: Path of the file, from the folder that libraries are installed into.
    """
    return Local(str(metadata.distribution(library).locate_file(""))).entries([name])
