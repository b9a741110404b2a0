"""Becomes another program that the kernel ends when its parent ends, however that was killed.

Run as a script: `python bound.py PARENT COMMAND...`, PARENT being the parent's process id. Standard library only;
runs without site packages. On anything but Linux, the program is not bound.
"""

import ctypes
import os
import signal
import sys
from contextlib import suppress

PR_SET_PDEATHSIG = 1  # outlives the exec


def main(parent: int, command: list[str]) -> None:
    """Replaces this process by `command`; ends where the parent is gone already."""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() == parent:
        os.execvp(command[0], command)  # noqa: S606  it is the command that the parent asked for


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
