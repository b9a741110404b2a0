"""`slipway data remove`: a record goes, and whoever has learned from it is named."""

import click

from contract.addresses import tracking_uri
from pipelines.definition import config as configuration
from pipelines.retention import removal
from serving.registry.registry import Registry


def remove(pipeline: str, record: str, *, dry_run: bool) -> None:
    """Says where a record is and which versions have seen it, then removes it."""
    config = configuration.load(pipeline)
    found = removal.find(config, record, Registry(tracking_uri()))
    for name in found.ids:
        click.echo(name)
    versions = ", ".join(map(str, found.seen_by)) or "no version"
    click.echo(f"Learned from by: {versions}")
    if found.unknown:
        others = ", ".join(map(str, found.unknown))
        click.echo(
            f"Of versions {others} it cannot be told: their spans have changed since, or their runs are gone."
        )
    for run_id in found.going_on:
        click.echo(f"Run {run_id} has not ended, and learns from it: so will its version.")
    if dry_run:
        return
    removal.remove(config, record, found)
    click.secho(
        f"{len(found.ids)} file(s) are gone. The next run of {pipeline} learns without them.", fg="green"
    )
    click.echo(
        "What earlier runs made of them stays as long as runs are kept: `slipway gc`, `retention` in the configuration."
    )
