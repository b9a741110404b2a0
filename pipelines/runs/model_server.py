"""The model server that candidates are tried on: which program, and which code that program is."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from pipelines.lineage import code_digest
from serving import digest

BINARY = "tensorflow_model_server"
EMBEDDED = "serving.server"
TIMEOUT_S = 60


def command() -> list[str]:
    """Returns the model server's program: the real one where it is installed, else the embedded one."""
    binary = shutil.which(BINARY)
    return [binary] if binary else [sys.executable, "-m", EMBEDDED]


def version(command: Sequence[str]) -> str:
    """Returns what tells this server's code from any other's, for the cache's key of what was tried on it.

    Args:
        command: As `command` returns it.
    """
    if EMBEDDED in command:
        code = code_digest.of([f"{EMBEDDED}.__main__"])
        return f"embedded {code.sources}, {code.libraries}"
    said = subprocess.run(
        [*command, "--version"], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    return f"{said.stdout.strip()}, SHA-256 {digest.of_file(Path(command[0]))}"
