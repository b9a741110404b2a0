"""Finds uv, or fetches it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from deploy.setup.commands import PROJECT, SetupError, run, say

UV_REQUIREMENT = "uv==0.13.8"
OLDEST_UV = [0, 5]
PIP_INSTALL = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")


def find() -> str:
    """Returns the uv on PATH, else the one in .venv/uv, which is fetched when it is not there."""
    found = shutil.which("uv")
    if found and _uv_version(found) >= OLDEST_UV:
        return found
    fetched = PROJECT / ".venv" / "uv" / "bin" / "uv"
    if not fetched.exists():
        _fetch_uv(fetched.parents[1])
    return str(fetched)


def _fetch_uv(folder: Path) -> None:
    """Into an environment of its own, or beside one where this Python cannot make environments."""
    say(f"There is no uv on PATH: fetching {UV_REQUIREMENT} into {folder.relative_to(PROJECT)}.")
    shutil.rmtree(folder, ignore_errors=True)
    try:
        if _has("ensurepip"):
            run(sys.executable, "-m", "venv", str(folder))
            run(str(folder / "bin" / "python"), *PIP_INSTALL, UV_REQUIREMENT)
        else:
            run(sys.executable, *PIP_INSTALL, "--target", str(folder), UV_REQUIREMENT)
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
    said = subprocess.run([uv, "--version"], capture_output=True, text=True, check=False).stdout
    return [int(number) for number in re.findall(r"\d+", said)]
