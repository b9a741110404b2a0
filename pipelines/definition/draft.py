"""A new pipeline's file, from a look at its data."""

from pathlib import Path

import yaml

from components import plugins
from components.families import interface as families
from contract import files
from contract.environment import configs_dir
from contract.errors import SettingsError
from pipelines.definition import config

HEAD = """\
# Made by `slipway init` from a look at the data. It is yours now: change what does not suit.
# Every key, its unit and its range: PipelineConfig in pipelines/definition/config.py.
family: {family}
schedule: null # "0 2 * * *": every night at two
promotion: approval # auto: an accepted model goes live by itself

"""


def write(name: str, folder: Path, family: str) -> tuple[Path, families.Draft]:
    """Writes `<name>.yaml`; returns its path, and what was seen of the data.

    Raises:
        SettingsError: If the pipeline exists, its name cannot be one, or the family proposes nothing.
        DataError: If no pipeline can be made of the data.
    """
    path = configs_dir() / f"{name}.yaml"
    if path.exists():
        raise _exists(path)
    proposal = plugins.load(f"{plugins.package(plugins.FAMILIES, family)}.proposal", families.Proposal)
    draft = proposal.propose(folder)
    text = HEAD.format(family=family) + draft.text
    config.parse({"name": name, **yaml.safe_load(text)}, f"what is to become {path}")
    try:
        files.write_once(path, text)
    except FileExistsError as error:
        raise _exists(path) from error
    return path, draft


def _exists(path: Path) -> SettingsError:
    return SettingsError(
        f"Expected the name of a new pipeline, and {path} exists. Choose another name, or remove the file first."
    )
