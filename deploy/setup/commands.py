"""Commands that are run, and what a person is told of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


class SetupError(Exception):
    """The environments cannot be made; the text says what is missing and what to do."""


def run(*command: str, given: str = "") -> None:
    """Keeps what a command says to itself, unless it fails: a name for each package is no progress."""
    done = subprocess.run(
        command,
        cwd=PROJECT,
        input=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        say(done.stdout.rstrip())
        raise SetupError(f"'{' '.join(command)}' ended with exit code {done.returncode}.")


def say(line: str) -> None:
    """Writes a line to standard error."""
    sys.stderr.write(line + "\n")
