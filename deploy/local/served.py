"""Says whether the stack's model server serves what its registry wants."""

from __future__ import annotations

from contract.errors import SettingsError
from deploy.local.settings import Stack
from serving.client import Client
from serving.errors import ReleaseError
from serving.registry.listing import Listing
from serving.release import models_config
from serving.release.inspection import ModelState, inspect

TIMEOUT_S = 5.0


def leave_out_missing(stack: Stack) -> dict[str, list[int]]:
    """Takes versions that are not on disk out of the model server's configuration; returns them by model.

    Raises:
        SettingsError: If the configuration cannot be read.
    """
    try:
        return models_config.leave_out_missing(stack.models_config, stack.models)
    except ReleaseError as error:
        raise SettingsError(str(error)) from error


def states(stack: Stack) -> list[ModelState]:
    """Returns the state of every model of the stack; models.config and the registry are only read."""
    with Listing(stack.mlflow_url) as listing, Client(stack.grpc_target, timeout_s=TIMEOUT_S) as client:
        return inspect(listing, client, stack.models)
