"""`slipway schema`: what a pipeline's data is held to, where that comes from, and how a run's data differs from it."""

import getpass

import click

from contract.run_folder import RunFolder
from contract.state import StateFolder
from pipelines.definition import config
from pipelines.runs import accepted_schema

COLOURS = {"+": "green", "-": "red", "@": "cyan"}


def show(pipeline: str) -> None:
    """Prints the schema and where it comes from."""
    config.config_path(pipeline)
    if curated := accepted_schema.curated(pipeline):
        click.echo(f"# {pipeline}: curated in {curated}")
        click.echo(curated.read_text(), nl=False)
        return
    pipeline_dir = StateFolder.from_environment().pipelines / pipeline
    found = accepted_schema.accepted(pipeline_dir)
    if found is None:
        click.echo(f"{pipeline}: none is accepted yet. The first run whose data is validated proposes one.")
        return
    click.echo(f"# {pipeline}: from run {found.run_id}, accepted by {found.by} at {found.at}")
    click.echo(accepted_schema.path_of(pipeline, pipeline_dir, found).read_text(), nl=False)


def diff(pipeline: str, run_id: str | None) -> None:
    """Prints what accepting a run's data would change; where no run is named, of the newest that has statistics."""
    config.config_path(pipeline)
    from pipelines.runs import data_schema

    folder = RunFolder.here(pipeline, run_id) if run_id else data_schema.newest_with_statistics(pipeline)
    lines = data_schema.difference(folder)
    for line in lines:
        click.secho(line, fg=COLOURS.get(line[:1]))
    if not lines:
        click.echo(f"{pipeline}: the data of run {folder.run_id} looks like the schema that it is held to.")


def accept(pipeline: str, run_id: str) -> None:
    """Accepts what the data of a run looks like."""
    config.config_path(pipeline)
    from pipelines.runs import data_schema

    data_schema.accept(RunFolder.here(pipeline, run_id), getpass.getuser())
    click.secho(f"{pipeline}: data is held to what that of run {run_id} looks like.", fg="green")
    click.echo("Runs that are prepared from now on use it; in an earlier one, clear `ingest`.")
