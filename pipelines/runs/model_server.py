"""Which code the model server is that candidates are tried on."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from contract import files
from contract.model_server import EMBEDDED
from pipelines.lineage import code_digest

TIMEOUT_S = 60


def version(command: Sequence[str]) -> str:
    """Returns what tells this server's code from any other's, for the cache's key of what was tried on it.

    Args:
        command: Its program and first arguments.
    """
    if EMBEDDED in command:
        code = code_digest.of([f"{EMBEDDED}.__main__"])
        return f"embedded {code.sources}, {code.libraries}"
    said = subprocess.run(
        [*command, "--version"], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    return f"{said.stdout.strip()}, SHA-256 {files.sha256(Path(command[0]))}"
