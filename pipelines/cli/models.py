"""`slipway models`, `predict`, `promote`, `rollback`: the registry and the model server side by side."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from pipelines.addresses import grpc_target, tracking_uri
from pipelines.cli.console import table
from pipelines.stack.settings import Stack
from serving import models_config
from serving.client import Client
from serving.errors import ServerUnavailableError
from serving.models_config import ServedModel
from serving.registry import Registry
from serving.release import Release


def _release(client: Client) -> Release:
    return Release(Registry(tracking_uri()), client, Stack.from_environment().models)


def _rows(registry: Registry, client: Client, stack: Stack) -> Iterator[tuple[object, ...]]:
    fleet = models_config.read(stack.models_config)
    for model in registry.models():
        aliases = registry.aliases(model)
        labels = fleet.get(model, ServedModel(frozenset())).labels
        try:
            states = client.versions(model)
        except ServerUnavailableError:
            states = {}
        for version in registry.versions(model):
            number = int(version.version)
            yield (
                model,
                number,
                " ".join(alias for alias, at in aliases.items() if at == number),
                states[number].state if number in states else "-",
                " ".join(label for label, at in labels.items() if at == number),
                version.tags.get("slipway.code_version", "")[:12],
            )


def show() -> None:
    """Prints every registered version beside what is served of it."""
    stack = Stack.from_environment()
    with Client(grpc_target(), timeout_s=5) as client:
        rows = list(_rows(Registry(tracking_uri()), client, stack))
    table("Models", ("model", "version", "aliases", "on the server", "labels", "code"), rows)


def predict(model: str, files: Sequence[Path], label: str | None, version: int | None) -> None:
    """Prints the label and its probability for each image file."""
    with Client(grpc_target()) as client:
        answer = client.predict_files(model, files, label=label, version=version)
    rows = [
        (path.name, name, f"{probabilities.max():.4f}")
        for path, name, probabilities in zip(files, answer.labels, answer.probabilities, strict=True)
    ]
    table(f"{model} version {answer.version}", ("file", "label", "probability"), rows)


def _say_served(served: dict[str, ServedModel], model: str) -> None:
    labels = ", ".join(
        f"{label} = version {number}" for label, number in sorted(served[model].labels.items())
    )
    click.secho(f"{model}: {labels}", fg="green")


def promote(model: str, version: int) -> None:
    """Moves the alias, reconciles, verifies."""
    with Client(grpc_target()) as client:
        _say_served(_release(client).promote(model, version), model)


def rollback(model: str) -> None:
    """Promotes the previous champion."""
    with Client(grpc_target()) as client:
        _say_served(_release(client).rollback(model), model)
