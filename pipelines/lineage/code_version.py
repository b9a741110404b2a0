"""Which code a run is of: the commit, or the package; and the stack that it runs on."""

import shutil
import subprocess
from importlib import metadata as packages

from contract.state import PROJECT


def current() -> str:
    """Returns the commit, with `-dirty` where files differ from it; without git, the package's version."""
    git = shutil.which("git")
    if git:
        described = subprocess.run(
            [git, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=False,
        )
        if version := described.stdout.strip():
            return version
    return f"slipway {packages.version('slipway')}"


def stack() -> str:
    """Returns which TFX and TensorFlow this environment has."""
    return ", ".join(f"{name} {packages.version(name)}" for name in ("tfx", "tensorflow"))
