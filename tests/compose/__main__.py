"""`make test-compose`: builds the images and runs the stack of docker-compose.yaml, with the guide's own commands.

In a Docker daemon of its own, on a copy of the project: no image, container, port, secret or file of a person's is
touched. Kept for the next time in build/docker: images and the cache of builds. Standard library only.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import bases
import daemon
import debian
import ports
from daemon import CannotRunError, Daemon, NoDaemonError

PROJECT = Path(__file__).resolve().parents[2]
KEPT = PROJECT / "build" / "docker"
COPY = "slipway"  # the project's, in KEPT
ARRIVING = KEPT / "arriving"  # a state folder; of it the stack sees the inbox
GUIDE = PROJECT / "docs" / "production.md"
LOGS = ["docker", "compose", "logs", "--tail", "40"]
UNAVAILABLE = 69  # the daemon cannot run here; EX_UNAVAILABLE of sysexits.h
# In this order: what the later ones do to the stack, the earlier ones must not see.
TESTS = ("training", "promotion", "arrival", "exposure", "failures", "restarts")


def say(text: str) -> None:
    """Prints a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def guide_commands() -> list[str]:
    """Returns the commands by which the guide starts the stack."""
    (block, *_) = re.findall(r"^```\n(.*?)^```$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return block.splitlines()


def run(title: str, command: list[str], environment: Mapping[str, str]) -> int:
    """Runs a command in the copy of the project, its output on this program's; returns its exit code."""
    say(f"=== {title}")
    started = time.monotonic()
    code = subprocess.run(command, cwd=KEPT / COPY, env=environment, check=False).returncode
    say(f"=== {title}: exit code {code} after {time.monotonic() - started:.0f} s")
    return code


def stack_environment(docker: Daemon) -> Mapping[str, str]:
    """Returns what the guide's commands and the tests run with."""
    own = {name: value for name, value in docker.environment.items() if not name.startswith("SLIPWAY_")}
    files = f"docker-compose.yaml:{PROJECT / 'tests/compose/builds-here.yaml'}"
    return {
        **own,
        **ports.free(),
        "COMPOSE_FILE": files,
        "COMPOSE_PROGRESS": "plain",
        "SLIPWAY_DOCKERD_PID": str(docker.pid),
        "SLIPWAY_INBOX": str(ARRIVING / "inbox"),
    }


def add_nightly_pipeline(environment: Mapping[str, str]) -> int:
    """Adds digits that arrive day by day to the copy of the project, as a team adds a pipeline of its own."""
    shutil.rmtree(ARRIVING, ignore_errors=True)
    slipway = [str(PROJECT / ".venv/ml/bin/python"), "-m", "cli.main"]
    own = {**environment, "SLIPWAY_HOME": str(ARRIVING)}
    code = run("a day of data", [*slipway, "data", "simulate", "digits", "--days", "1"], own)
    path = KEPT / COPY / "pipelines/configs/digits_nightly.yaml"
    if not code:
        path.write_text(path.read_text().replace("spans: {}", "spans: {starts_runs: true}"))
    return code or run("its manifest", [*slipway, "compile"], own)


@contextmanager
def gone_afterwards(docker: Daemon, environment: Mapping[str, str]) -> Iterator[None]:
    """Removes containers, networks, volumes and secrets of the stack, of a killed run before this one too."""
    down = [
        "docker",
        "compose",
        "--progress",
        "quiet",
        "down",
        "--volumes",
        "--remove-orphans",
        "--timeout",
        "5",
    ]
    debian.bring(PROJECT, KEPT, COPY)
    subprocess.run(down, cwd=KEPT / COPY, env=environment, check=False, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(down, cwd=KEPT / COPY, env=environment, check=False)
        docker.docker("image", "prune", "--force")  # what an edited image has replaced
        for folder in (KEPT / COPY, ARRIVING):
            shutil.rmtree(folder, ignore_errors=True)


def sizes(docker: Daemon) -> str:
    """Returns the size of each image, a line each."""
    return docker.docker("images", "--format", "{{.Repository}}:{{.Tag}} {{.Size}}").stdout


def test(docker: Daemon) -> int:
    """Builds, starts, tests and removes; returns the exit code."""
    environment = stack_environment(docker)
    started = time.monotonic()
    bases.make(docker, PROJECT)
    say(f"=== stand-ins for the base images after {time.monotonic() - started:.0f} s")
    with gone_afterwards(docker, environment):
        if code := add_nightly_pipeline(environment):
            return code
        for command in guide_commands():
            if code := run(command, ["sh", "-c", command], environment):
                run("the last words of the services", LOGS, environment)
                return code
        say(sizes(docker))
        files = [str(PROJECT / f"tests/compose/{name}.py") for name in TESTS]
        python = str(PROJECT / ".venv/ml/bin/python")
        pytest = [
            python,
            "-m",
            "pytest",
            "-v",
            "--durations=0",
            f"--rootdir={PROJECT}",
            *sys.argv[1:],
            *files,
        ]
        return run("tests", pytest, {**environment, "PYTHONPATH": str(PROJECT)})


def main() -> int:
    """Runs all of it; returns the exit code: `UNAVAILABLE` where no daemon can run."""
    started = time.monotonic()
    say(
        "Starting a Docker daemon of the tests' own, and making stand-ins for the base images where there are none."
    )
    try:
        with daemon.running(KEPT) as docker:
            code = test(docker)
    except CannotRunError as error:
        say(f"The Compose stack was not tested. {error}")
        return UNAVAILABLE if isinstance(error, NoDaemonError) else 1
    say(f"=== make test-compose: exit code {code} after {time.monotonic() - started:.0f} s")
    return code


if __name__ == "__main__":
    os.umask(0o022)
    sys.exit(main())
