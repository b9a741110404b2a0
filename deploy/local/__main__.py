"""`python -m deploy.local up|down`: starts or stops the stack."""

from __future__ import annotations

import sys

from contract.errors import SlipwayError
from deploy.local.control import down, up
from deploy.local.settings import Stack

COMMANDS = {"up": up, "down": down}


def main(arguments: list[str]) -> int:
    """Runs one command; returns the exit code."""
    if len(arguments) != 1 or arguments[0] not in COMMANDS:
        sys.stderr.write("Usage: python -m deploy.local up|down\n")
        return 2
    try:
        COMMANDS[arguments[0]](Stack.from_environment(), _say)
    except SlipwayError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
