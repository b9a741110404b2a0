"""`slipway models`, `predict`, `promote`, `rollback`, `reconcile`: the registry and the model server side by side."""

import getpass
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from cli.console import table
from contract.addresses import grpc_target, tracking_uri
from contract.errors import cancel
from contract.state import StateFolder
from serving import inputs
from serving.client import Client, Prediction
from serving.errors import ServerUnavailableError
from serving.inputs import Inputs
from serving.registry import history
from serving.registry.listing import ListedModel, Listing
from serving.release import models_config
from serving.release.models_config import ServedModel

if TYPE_CHECKING:
    from serving.release.target import ReleaseTarget


@contextmanager
def _target() -> Iterator["ReleaseTarget"]:
    from serving.registry.registry import Registry  # MLflow's client, which `slipway models` does without
    from serving.release.target import ReleaseTarget

    signal.signal(signal.SIGTERM, cancel)
    with Client(grpc_target()) as client:
        yield ReleaseTarget(Registry(tracking_uri()), client, StateFolder.from_environment().models)


def _rows(model: ListedModel, client: Client, served: ServedModel) -> Iterator[tuple[object, ...]]:
    try:
        states = client.versions(model.name)
    except ServerUnavailableError:
        states = {}
    for version in model.versions:
        yield (
            model.name,
            version.number,
            " ".join(alias for alias, at in model.aliases.items() if at == version.number),
            states[version.number].state if version.number in states else "-",
            " ".join(label for label, at in served.labels.items() if at == version.number),
            version.tags.get(history.PROMOTED_AT, ""),
            version.tags.get("slipway.code_version", "")[:12],
        )


def show() -> None:
    """Prints every registered version beside what is served of it."""
    served = models_config.served(models_config.read(StateFolder.from_environment().models_config))
    with Listing(tracking_uri()) as listing, Client(grpc_target(), timeout_s=5) as client:
        rows = [
            row
            for model in listing.models()
            if model.is_ours
            for row in _rows(model, client, served.get(model.name, ServedModel()))
        ]
    columns = ("model", "version", "aliases", "on the server", "labels", "promoted", "code")
    table("Models", columns, rows)


def ask(
    client: Client,
    model: str,
    *,
    files: Sequence[Path] = (),
    rows: Path | None = None,
    label: str | None = None,
    version: int | None = None,
) -> tuple[Inputs, Prediction]:
    """Asks a model about files, or about the rows of a CSV, by the signature that takes them.

    Raises:
        InputError: If the model takes no such thing; the message says what it takes, and how to ask it.
    """
    offered = client.signatures(model, label=label, version=version)
    asked = inputs.of_files(model, offered, files) if rows is None else inputs.of_rows(model, offered, rows)
    answer = client.predict(model, asked.values, signature=asked.signature, label=label, version=version)
    return asked, answer


def predict(
    model: str, files: Sequence[Path], rows: Path | None, label: str | None, version: int | None
) -> None:
    """Prints what a model answers about each file, or about each row of a CSV."""
    with Client(grpc_target()) as client:
        asked, answer = ask(client, model, files=files, rows=rows, label=label, version=version)
    if asked.ignored:
        click.echo(f"{model} does not take, and was not given: {', '.join(asked.ignored)}", err=True)
    count = len(next(iter(asked.values.values())))
    names = [path.name for path in files] or [str(number) for number in range(1, count + 1)]
    shown = _shown(answer.outputs)
    each = {name: values for name, values in shown.items() if values.shape[:1] == (count,)}
    columns = ([_text(value) for value in values] for values in each.values())
    rows_shown = zip(names, *columns, strict=True)
    table(f"{model} version {answer.version}", ("file" if files else "row", *each), rows_shown)
    for name in sorted(set(shown) - set(each)):
        click.echo(f"{name}: {_text(shown[name])}")


def _shown(outputs: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
    """Returns the outputs; of a classifier's, the label and how probable it is."""
    label, probabilities = outputs.get("label"), outputs.get("probabilities")
    if label is None or probabilities is None or probabilities.ndim != 2 or probabilities.shape[1] < 2:
        return outputs
    return {"label": label, "probability": probabilities.max(axis=1)}


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, np.ndarray) and value.ndim:
        return f"[{', '.join(_text(each) for each in value)}]"
    return f"{value:.6g}" if isinstance(value, float | np.floating) else str(value)


def _say_served(model: str, served: ServedModel) -> None:
    labels = ", ".join(f"{label} = version {number}" for label, number in sorted(served.labels.items()))
    click.secho(f"{model}: {labels or 'not served'}", fg="green")


def promote(model: str, version: int) -> None:
    """Moves the alias, reconciles, verifies."""
    from serving.release import promotion

    with _target() as target:
        _say_served(model, promotion.promote(target, model, version, getpass.getuser()))


def rollback(model: str) -> None:
    """Promotes the previous champion."""
    from serving.release import promotion

    with _target() as target:
        _say_served(model, promotion.rollback(target, model, getpass.getuser()))


def reconcile(models: Sequence[str]) -> None:
    """Serves what the registry wants, restoring what is missing."""
    from serving.release import reconciliation

    with _target() as target:
        served = reconciliation.reconcile_all(target, models, getpass.getuser())
    for model, each in served.items():
        _say_served(model, each)
    if not served:
        click.echo("The registry holds no model of Slipway's: nothing was changed.")
