"""Where decoded examples are kept from one epoch to the next. Pure: sizes in, verdict out."""

from dataclasses import dataclass
from typing import Literal

# Of what is available, for one split. There are up to three, a network, and others on the machine; and what lies on the
# disk is read from memory too, as long as nobody has a better use for that.
MEMORY_SHARE = 0.1
DISK_SHARE = 0.5  # of what is free, for one split
MIB = 2**20


@dataclass(frozen=True)
class Place:
    """The decision, with the sentence that goes to the log."""

    where: Literal["memory", "disk", "nowhere"]
    reason: str


def chosen(size: int, *, memory: int, disk: int) -> Place:
    """Returns the fastest place that has room for examples.

    Args:
        size: Of all examples, decoded, in bytes.
        memory: Bytes that are available.
        disk: Bytes that are free where the node works.
    """
    needed = f"{size / MIB:,.1f} MiB decoded"
    if size <= MEMORY_SHARE * memory:
        return Place(
            "memory", f"{needed}: kept in memory, {MEMORY_SHARE:.0%} of {memory / MIB:,.0f} MiB at most"
        )
    beyond = f"{needed}, over {MEMORY_SHARE:.0%} of the {memory / MIB:,.0f} MiB of memory available"
    if size <= DISK_SHARE * disk:
        return Place("disk", f"{beyond}: kept on the disk, {DISK_SHARE:.0%} of {disk / MIB:,.0f} MiB at most")
    return Place(
        "nowhere",
        f"{beyond}, and over {DISK_SHARE:.0%} of the {disk / MIB:,.0f} MiB of disk: decoded in each epoch",
    )
