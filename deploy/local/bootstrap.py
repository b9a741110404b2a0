"""Installs the two environments and compiles their locks: `python3 bootstrap.py ml|airflow|lock`.

Any Python from 3.9 on runs it, before anything is installed. So it is run by its path, and neither imports
the project nor is imported by it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PROJECT = Path(__file__).resolve().parents[2]
UV_REQUIREMENT = "uv==0.13.8"
OLDEST_UV = [0, 5]
PIP_INSTALL = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
PROBE = "import sys; print(sys.implementation.name, *sys.version_info[:2])"
PROBE_TIMEOUT_S = 20


class SetupError(Exception):
    """The environments cannot be made; the text says what is missing and what to do."""


class Environment(NamedTuple):
    """One environment: its name, the Pythons that can run it (uv downloads the first), and why no others."""

    name: str
    versions: tuple[str, ...]
    reason: str

    @property
    def folder(self) -> Path:
        """Where it is installed."""
        return PROJECT / ".venv" / self.name


ENVIRONMENTS = {
    "ml": Environment("ml", ("3.10",), "TFX 1.16 runs on no newer one"),
    "airflow": Environment("airflow", ("3.11", "3.12", "3.13", "3.14"), "Airflow 3.3 runs on these"),
}


def install(environment: Environment) -> None:
    """Makes the environment if it is not there, and brings it to what its lock says."""
    uv, python = find_uv(), environment.folder / "bin" / "python"
    started = time.monotonic()
    if _version(python) not in environment.versions:
        _make_environment(uv, environment)
    target = ("--python", str(python))
    lock = f"locks/{environment.name}.txt"
    _say(f"Installing what {lock} lists into .venv/{environment.name}; the first time takes minutes.")
    # Without compiled bytecode each process that imports TFX spends 40 s more on compiling it.
    _run(uv, "pip", "sync", "--require-hashes", "--compile-bytecode", *target, lock)
    if environment.name == "ml":  # after the sync, which removes what no lock names
        _run(uv, "pip", "install", "--no-deps", *target, "--editable", ".")
    (environment.folder / ".installed").touch()
    _say(f"The {environment.name} environment is as its lock says, after {time.monotonic() - started:.0f} s.")


def lock() -> None:
    """Compiles requirements.txt into the complete pins of both environments."""
    pin = [find_uv(), "pip", "compile", "--quiet", "--generate-hashes"]
    pin += ["--custom-compile-command", "make lock", "requirements.txt"]
    _run(*pin, "--python-version", "3.10", "--output-file", "locks/ml.txt")
    _run(*pin, "--universal", "--python-version", "3.11", "--output-file", "locks/airflow.txt")


def find_uv() -> str:
    """Returns the uv on PATH, else the one in .venv/uv, which is fetched when it is not there."""
    found = shutil.which("uv")
    if found and _uv_version(found) >= OLDEST_UV:
        return found
    fetched = PROJECT / ".venv" / "uv" / "bin" / "uv"
    if not fetched.exists():
        _fetch_uv(fetched.parents[1])
    return str(fetched)


def find_python(environment: Environment) -> tuple[str | None, list[str]]:
    """Returns a Python that runs and has the right version, and what was looked at in vain before it."""
    rejected: list[str] = []
    for candidate in _candidates(environment.versions):
        answer = _version(candidate)
        if answer in environment.versions:
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


def _version(python: Path) -> str:
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


def _make_environment(uv: str, environment: Environment) -> None:
    found, rejected = find_python(environment)
    make = (uv, "venv", "--clear", "--python")
    wanted = " or ".join(environment.versions)
    if found:
        _run(*make, found, str(environment.folder))
        return
    _say(f"No Python {wanted} on this machine: uv downloads one.")
    try:
        _run(*make, environment.versions[0], "--managed-python", str(environment.folder))
    except SetupError:
        looked_at = "".join(f"\n  - {line}" for line in rejected)
        raise SetupError(
            f"The {environment.name} environment needs Python {wanted} ({environment.reason}), "
            "and none was found on PATH, under pyenv or for download. "
            f"Looked at:{looked_at}\nInstall one (your system's packages, 'pyenv install "
            f"{environment.versions[0]}', https://www.python.org/downloads/), then run 'make setup' again."
        ) from None


def _fetch_uv(folder: Path) -> None:
    """Into an environment of its own, or beside one where this Python cannot make environments."""
    _say(f"There is no uv on PATH: fetching {UV_REQUIREMENT} into {folder.relative_to(PROJECT)}.")
    shutil.rmtree(folder, ignore_errors=True)
    try:
        if _has("ensurepip"):
            _run(sys.executable, "-m", "venv", str(folder))
            _run(str(folder / "bin" / "python"), *PIP_INSTALL, UV_REQUIREMENT)
        else:
            _run(sys.executable, *PIP_INSTALL, "--target", str(folder), UV_REQUIREMENT)
    except SetupError as error:
        missing = "" if _has("ensurepip") or _has("pip") else " It has neither 'ensurepip' nor 'pip'."
        raise SetupError(
            f"uv is needed, and {sys.executable} could not fetch it: {error}{missing}\n"
            "Install the package python3-venv (Debian, Ubuntu) or uv itself "
            "(https://docs.astral.sh/uv/), then run 'make setup' again."
        ) from None


def _has(module: str) -> bool:
    probe = subprocess.run([sys.executable, "-c", f"import {module}"], capture_output=True, check=False)
    return probe.returncode == 0


def _uv_version(uv: str) -> list[int]:
    return _numbers(subprocess.run([uv, "--version"], capture_output=True, text=True, check=False).stdout)


def _numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text)]


def _run(*command: str) -> None:
    """Keeps what a command says to itself, unless it fails: a name for each package is no progress."""
    done = subprocess.run(
        command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode != 0:
        _say(done.stdout.rstrip())
        raise SetupError(f"'{' '.join(command)}' ended with exit code {done.returncode}.")


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")


def main(arguments: list[str]) -> int:
    """Runs one of `ml`, `airflow`, `lock`; returns the exit code."""
    if sys.hexversion < 0x03090000:
        _say(f"'make setup' needs Python 3.9 or newer, got {sys.version.split()[0]}: use PYTHON=python3.x.")
        return 1
    try:
        if arguments == ["lock"]:
            lock()
        else:
            install(ENVIRONMENTS[arguments[0]])
    except SetupError as error:
        _say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
