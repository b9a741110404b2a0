"""The commands `slipway data` and `slipway schema`. Heavy imports happen inside, so that `--help` is instant."""

from datetime import datetime
from pathlib import Path

import click

from cli.console import explained

DATE = click.DateTime(["%Y-%m-%d"])


@click.group()
def schema() -> None:
    """Show the schema that data is held to, compare it with a run's data, accept another."""


@schema.command("show")
@click.argument("pipeline")
@explained
def schema_show(pipeline: str) -> None:
    """Show the schema that the data of PIPELINE is held to."""
    from cli.data import schema as shown

    shown.show(pipeline)


@schema.command("diff")
@click.argument("pipeline")
@click.option("--run", "run_id", metavar="RUN", help="Instead of the newest run that has statistics.")
@explained
def schema_diff(pipeline: str, run_id: str | None) -> None:
    """Show how the data of a run differs from the schema that PIPELINE is held to."""
    from cli.data import schema as shown

    shown.diff(pipeline, run_id)


@schema.command("accept")
@click.argument("pipeline")
@click.argument("run_id", metavar="RUN")
@explained
def schema_accept(pipeline: str, run_id: str) -> None:
    """Hold the data of PIPELINE to what that of RUN looks like."""
    from cli.data import schema as shown

    shown.accept(pipeline, run_id)


@click.group()
def data() -> None:
    """Data that arrives day by day, and data that a person accepts."""


@data.command("accept")
@click.argument("pipeline")
@click.argument("run_id", metavar="RUN")
@explained
def data_accept(pipeline: str, run_id: str) -> None:
    """Accept the data of RUN, although it had drifted: data of PIPELINE is compared with it from now on."""
    from cli.data import acceptance

    acceptance.accept(pipeline, run_id)


@data.command("add")
@click.argument("pipeline")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--date", type=DATE, help="Of the data; today without.")
@explained
def data_add(pipeline: str, folder: Path, date: datetime | None) -> None:
    """Bring the data in FOLDER to PIPELINE, as what arrived on a day."""
    from cli.data import spans

    spans.add(pipeline, folder, date.date() if date else None)


@data.command("status")
@click.argument("pipeline")
@explained
def data_status(pipeline: str) -> None:
    """Show what has arrived for PIPELINE, and what its newest run learned from."""
    from cli.data import spans

    spans.status(pipeline)


@data.command("remove")
@click.argument("pipeline")
@click.argument("record", metavar="ID")
@click.option(
    "--dry-run", is_flag=True, help="Say where it is and who has learned from it, and remove nothing."
)
@explained
def data_remove(pipeline: str, record: str, dry_run: bool) -> None:
    """Take the record ID out of every day of PIPELINE, and name the versions that have learned from it.

    ID is <date>/<place of the file>, as the quarantine, validation and the examples have it. Every file with the very
    same bytes goes.
    """
    from cli.data import removal

    removal.remove(pipeline, record, dry_run=dry_run)


@data.command("simulate")
@click.argument("pipeline")
@click.option("--days", type=click.IntRange(min=1, max=256), default=5, show_default=True)
@click.option("--until", type=DATE, help="The last of the days; yesterday without.")
@explained
def data_simulate(pipeline: str, days: int, until: datetime | None) -> None:
    """Deal the images of PIPELINE into days, to see nightly retraining on a pipeline PIPELINE_nightly."""
    from cli.data import spans

    spans.simulate(pipeline, days, until.date() if until else None)
