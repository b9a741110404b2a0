"""`slipway compile`."""

import click

from pipelines.definition import config


def compile_all() -> None:
    """Writes the manifest of every configured pipeline and says which changed."""
    checked = [config.load(name) for name in config.names()]
    from pipelines.definition import manifest

    for each in checked:
        changed = manifest.write(each)
        click.echo(f"{manifest.path_of(each.name)}: {'written' if changed else 'up to date'}")
