"""Makes the state folder and what must lie in it before the first program starts."""

from __future__ import annotations

import os
import stat

from contract import files
from contract.errors import SettingsError
from contract.state import StateFolder

NO_MODELS = "model_config_list {\n}\n"


def make_folders(state: StateFolder) -> None:
    """Creates what is missing and leaves alone what is there.

    Raises:
        SettingsError: The folder for sockets belongs to somebody else, or the state folder cannot be written.
    """
    try:
        for folder in (state.airflow, state.mlflow, state.models, state.pipelines, state.logs):
            folder.mkdir(parents=True, exist_ok=True)
        state.run.mkdir(exist_ok=True, mode=0o700)
        state.sockets.mkdir(exist_ok=True, mode=0o700)
    except OSError as error:
        raise SettingsError(
            f"SLIPWAY_HOME must be a folder you can write to: {error}. Choose another one."
        ) from None
    _check_private(state)
    if not state.models_config.exists():
        files.write(state.models_config, NO_MODELS)


def _check_private(state: StateFolder) -> None:
    found = state.sockets.lstat()
    ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
    if not ours or stat.S_IMODE(found.st_mode) & 0o077:
        raise SettingsError(
            f"The folder of the stack's sockets must be yours alone (mode 0700), got {state.sockets} of user "
            f"{found.st_uid} with mode {stat.S_IMODE(found.st_mode):04o}. "
            "Remove it, or choose a shorter SLIPWAY_HOME."
        )
