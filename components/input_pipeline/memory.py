"""How much memory a process may still take: of its machine, and of the control groups that it is in."""

from collections.abc import Iterator
from pathlib import Path

import psutil

GROUPS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")
# The limit, what is used, and how much of that is cache that the kernel gives up: cgroups(7), versions 2 and 1.
VERSION_2 = ("memory.max", "memory.current", "inactive_file")
VERSION_1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


def available_bytes(groups: Path = GROUPS, membership: Path = MEMBERSHIP) -> int:
    """Returns what the machine has available, or the least that one of the groups leaves, where that is less.

    Args:
        groups: Where control groups are mounted.
        membership: File with the groups that the process is in.
    """
    return min([psutil.virtual_memory().available, *_left(groups, membership)])


def _left(groups: Path, membership: Path) -> Iterator[int]:
    """Yields what each group leaves that has a limit; a group is in all that are above it too."""
    lines = membership.read_text().splitlines() if membership.is_file() else []
    for _, controllers, path in (line.split(":", 2) for line in lines):
        if controllers and "memory" not in controllers.split(","):
            continue
        root, names = (groups / "memory", VERSION_1) if controllers else (groups, VERSION_2)
        group = root / path.lstrip("/")
        # Inside a container the path may be that of the host, and what is mounted is the group itself.
        for folder in (each for each in (group, *group.parents) if each.is_relative_to(root)):
            if (folder / names[0]).is_file() and (limit := (folder / names[0]).read_text().strip()) != "max":
                yield max(0, int(limit) - _used(folder, *names[1:]))


def _used(folder: Path, usage: str, reclaimable: str) -> int:
    statistics = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    return int((folder / usage).read_text()) - int(statistics[reclaimable])
