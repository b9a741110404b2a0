"""How the command line talks: errors on one place, tables, and values given as KEY=VALUE."""

import functools
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click

LOG_WIDTH = 160  # of a table that nobody sees on a terminal: a run id stays in one piece


def explained(command: Callable[..., None]) -> Callable[..., None]:
    """Makes a command end with the message of an error it expects, instead of a traceback."""

    @functools.wraps(command)
    def wrapped(*arguments: Any, **options: Any) -> None:
        try:
            command(*arguments, **options)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            from contract.addresses import tracking_uri
            from contract.errors import explain

            failure = explain(error, tracking_uri())
            if not failure.explained:
                raise
            click.secho(failure.message, fg="red", err=True)
            sys.exit(failure.exit_code)

    return wrapped


def parse_settings(settings: Iterable[str]) -> dict[str, Any]:
    """Returns `KEY=VALUE` strings as a mapping; values are YAML, so that 2 is a number and true a truth value.

    Raises:
        click.BadParameter: If one has no `=`.
    """
    import yaml

    values = {}
    for setting in settings:
        key, separator, value = setting.partition("=")
        if not separator or not key:
            raise click.BadParameter(f"expected KEY=VALUE such as train.epochs=2, got {setting!r}")
        try:
            values[key] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise click.BadParameter(f"{key}: expected a YAML value, got {value!r}: {error}") from error
    return values


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Prints a table."""
    from rich.console import Console
    from rich.table import Table

    drawn = Table(*columns, title=title or None, title_justify="left")
    for row in rows:
        drawn.add_row(*(str(cell) for cell in row))
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else LOG_WIDTH
    Console(width=width).print(drawn)
