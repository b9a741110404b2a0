"""`slipway init` and `slipway compile`: from data to a configuration, from that to a manifest."""

import click

from pipelines.definition import config


def compile_all() -> None:
    """Writes the manifest of every configured pipeline and says which changed."""
    checked = [config.load(name) for name in config.names()]
    from pipelines.definition import manifest

    for each in checked:
        changed = manifest.write(each)
        click.echo(f"{manifest.path_of(each.name)}: {'written' if changed else 'up to date'}")


def init(name: str, folder: str, family: str) -> None:
    """Writes a new pipeline's configuration and says what it is made from."""
    from pipelines.definition import draft

    path, made = draft.write(name, folder, family)
    for line in made.seen:
        click.echo(line)
    click.secho(f"Wrote {path}", fg="green")
    click.echo(
        f"Read it; then `slipway compile`, and `slipway run {name}` or `slipway trigger {name} --wait`."
    )
