"""`slipway gc`: what old runs left behind goes, or would."""

import click

from contract.addresses import tracking_uri
from contract.state import StateFolder
from pipelines.definition import config


def collect(pipeline: str | None, *, dry_run: bool) -> int:
    """Prints what goes, why, and what that frees; returns 1 where something could not be removed."""
    chosen = [config.load(name) for name in ([pipeline] if pipeline else config.names())]
    from pipelines.retention import collect, versions
    from serving.registry.registry import Registry

    registry, home, failed = Registry(tracking_uri()), StateFolder.from_environment().home, False
    for each in chosen:
        done = collect.collect(each, home, versions.of(registry, each.name), dry_run=dry_run)
        for removal in done.removals:
            click.echo(f"{_readable(removal.size):>10}  {removal.path}: {removal.because}")
        for problem in done.problems:
            click.secho(f"It could not be removed: {problem}", fg="red", err=True)
        said = "would go" if dry_run else "gone"
        click.secho(f"{each.name}: {len(done.removals)} {said}, {_readable(done.freed)}", fg="green")
        failed = failed or bool(done.problems)
    return int(failed)


def _readable(size: float) -> str:
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
