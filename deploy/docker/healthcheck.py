"""Says by its exit code whether a service of the Compose stack works.

`healthcheck.py URL`: it answers with 200. `healthcheck.py URL PART`: and calls this part of Airflow healthy.
`healthcheck.py SOCKET`: the ML worker at this Unix socket answers a request.
"""

import json
import sys
import urllib.request
from pathlib import Path

from contract import worker_protocol

TIMEOUT_S = 8
# The services are on the machine or on its private network: no proxy of the environment knows them.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def check_url(url: str, part: str | None = None) -> None:
    """Asks a web server, and its report for the state of `part`.

    Raises:
        OSError: It does not answer, or with another status than 200.
        ValueError: The part is not healthy.
    """
    with OPENER.open(url, timeout=TIMEOUT_S) as answer:
        body = answer.read()
    if part is None:
        return
    state = json.loads(body).get(part) or {}
    if state.get("status") != "healthy":
        raise ValueError(f"{part} must be healthy, got {state or 'nothing about it'}")


def main(arguments: list[str]) -> int:
    """Runs the check that the arguments ask for."""
    try:
        if arguments[0].startswith("/"):
            worker_protocol.check(Path(arguments[0]), TIMEOUT_S)
        else:
            check_url(*arguments)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{arguments[0]}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
