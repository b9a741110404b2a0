"""`python3 -m deploy.setup ml|airflow|lock`, from the project: installs an environment, or compiles the locks.

Any Python from 3.9 on runs it, before anything is installed: it imports neither the rest of the project nor any
library.

There are several locks for the ML environment, since ML Metadata and TFDV come as wheels for a recent glibc alone.
The first whose glibc this system has is installed; SLIPWAY_ML_LOCK names another.
"""

from __future__ import annotations

import sys

from deploy.setup import installation
from deploy.setup.commands import SetupError, say
from deploy.setup.environments import AIRFLOW, choose_ml


def main(arguments: list[str]) -> int:
    """Runs one of `ml`, `airflow`, `lock`; returns the exit code."""
    if sys.hexversion < 0x03090000:
        say(f"'make setup' needs Python 3.9 or newer, got {sys.version.split()[0]}: use PYTHON=python3.x.")
        return 1
    try:
        if arguments == ["lock"]:
            installation.lock()
        elif arguments == ["ml"]:
            installation.install(*choose_ml())
        else:
            installation.install(AIRFLOW)
    except SetupError as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
