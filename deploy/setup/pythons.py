"""Finds a Python that an environment can be made with."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

PROBE = "import sys; print(sys.implementation.name, *sys.version_info[:2])"
PROBE_TIMEOUT_S = 20


def find(versions: tuple[str, ...]) -> tuple[str | None, list[str]]:
    """Returns a Python that runs and has the right version, and what was looked at in vain before it."""
    rejected: list[str] = []
    for candidate in _candidates(versions):
        answer = version_of(candidate)
        if answer in versions:
            return str(candidate), rejected
        rejected.append(f"{candidate} is {answer}")
    return None, rejected


def _candidates(versions: tuple[str, ...]) -> Iterator[Path]:
    """Yields `python3` and `python3.N` in every folder of PATH, then what pyenv has installed."""
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    for name in ("python3", *(f"python{version}" for version in versions)):
        yield from (path for path in (folder / name for folder in folders) if os.access(path, os.X_OK))
    # pyenv's shims on PATH answer for the activated version only.
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for version in versions:
        installed = pyenv.glob(f"versions/{version}.*/bin/python{version}")
        yield from sorted(installed, key=lambda path: _numbers(path.parents[1].name), reverse=True)


def version_of(python: Path) -> str:
    """Returns the version of a CPython, as "3.10", else what is wrong with it in a few words."""
    try:
        answer = subprocess.run(
            [str(python), "-c", PROBE], capture_output=True, text=True, timeout=PROBE_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"not usable ({error})"
    if answer.returncode != 0:
        return f"not usable ({(answer.stderr.strip().splitlines() or ['no message'])[0]})"
    implementation, *numbers = answer.stdout.split()
    return ".".join(numbers) if implementation == "cpython" else f"{implementation} {'.'.join(numbers)}"


def _numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text)]
