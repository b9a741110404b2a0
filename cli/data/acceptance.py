"""`slipway data accept`: a drift that is the new truth."""

import getpass

import click

from contract.run_folder import RunFolder
from pipelines.definition import config
from pipelines.runs import accepted_data


def accept(pipeline: str, run_id: str) -> None:
    """Accepts the data of a run, although it had drifted."""
    config.config_path(pipeline)
    made = accepted_data.accept(RunFolder.here(pipeline, run_id), getpass.getuser())
    for sentence in made.drift:
        click.echo(f"- {sentence}")
    click.secho(
        f"{pipeline}: the data of run {made.run_id} is accepted, by {made.by} at {made.at}.", fg="green"
    )
    click.echo(f"Data is compared with it from now on. In run {run_id}, clear `validate`.")
