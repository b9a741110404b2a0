"""Where the nodes run that are Beam pipelines. Knows no Beam: configurations are read far more often than one runs."""

import re

from pydantic import field_validator

from components.settings import Section

_OPTION = re.compile(r"--(\w+)(=.*)?", re.DOTALL)


class BeamSettings(Section):
    """Beam's runner and its options, in Beam's words. What a node computes does not depend on them."""

    runner: str = "DirectRunner"
    """Beam's name of it: `DirectRunner`, in the node's own process, `FlinkRunner`, `SparkRunner`, `DataflowRunner`; or
    the dotted name of a class."""

    options: tuple[str, ...] = ()
    """Beam's pipeline options as on its command line, each `--name=value` or `--name`."""

    @field_validator("options")
    @classmethod
    def _are_options(cls, options: tuple[str, ...]) -> tuple[str, ...]:
        for option in options:
            found = _OPTION.fullmatch(option)
            if not found:
                raise ValueError(f"expected --name=value or --name, got {option!r}")
            if found[1] == "runner":
                raise ValueError(f"expected the runner in beam.runner, got {option!r} among the options")
        return options
