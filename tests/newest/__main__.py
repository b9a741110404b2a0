"""`make test-newest`: the newest stack in a Debian 13 root, whatever this system is.

A run with the stack of this system comes first, where that is an older one; its state is what the newest stack then
finds (`upgrade.py`). The root is kept in build/ for the next time. Standard library only.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import debian
import ports

PROJECT = Path(__file__).resolve().parents[2]
ROOT = PROJECT / "build" / "debian-13"
INSIDE = "/slipway"
SHARED = PROJECT / "build" / "upgraded"  # the state folder: written by the older stack, then by the newest


def say(text: str) -> None:
    """Prints a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def locked() -> str:
    """Returns the lock that this project's ML environment was installed from, such as `ml`."""
    return Path((PROJECT / ".venv/ml/.installed").read_text().split()[0]).stem


def run_of_before(home: Path) -> int:
    """Runs the digits with the stack of this system, into a state folder; returns the exit code."""
    python = str(PROJECT / ".venv/ml/bin/python")
    others = ("SLIPWAY_", "MLFLOW_")  # nobody's registry, metadata or model server
    own = {name: value for name, value in os.environ.items() if not name.startswith(others)}
    environment = {**own, "SLIPWAY_HOME": str(home), **ports.free()}
    codes = []
    for module, *arguments in (
        ("deploy.local", "up"),
        ("cli.main", "run", "digits"),
        ("deploy.local", "down"),
    ):
        command = [python, "-m", module, *arguments]
        done = subprocess.run(
            command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        codes.append(done.returncode)
        if done.returncode:
            say(f"=== before the upgrade: {' '.join(command)} ended with {done.returncode}\n{done.stdout}")
    return max(codes)


def stop(home: Path) -> None:
    """Stops what an earlier call that was killed has left running on this state folder."""
    command = [str(PROJECT / ".venv/ml/bin/python"), "-m", "deploy.local", "down"]
    subprocess.run(command, cwd=PROJECT, env={**os.environ, "SLIPWAY_HOME": str(home)}, capture_output=True)


def prepare_root() -> int:
    """Makes the root, brings the project, and installs what `make setup` chooses there; returns the exit code."""
    debian.make(ROOT)
    debian.bring(PROJECT, ROOT, INSIDE)
    return debian.run(ROOT, ["make", "setup"], folder=INSIDE, shared=SHARED, online=True)


def main() -> int:
    """Runs all of it; returns the exit code."""
    if locked() == "ml":
        say("This system has the newest stack: `make test` is its test.")
        return 0
    try:
        debian.check()
    except debian.CannotTestError as error:
        say(str(error))
        return 1
    stop(SHARED)
    shutil.rmtree(SHARED, ignore_errors=True)
    SHARED.mkdir(parents=True)
    started = time.monotonic()
    say("Making a Debian 13 root with the newest stack; beside it, a run with the stack of this system.")
    try:
        with ThreadPoolExecutor() as beside:
            before = beside.submit(run_of_before, SHARED)
            code = prepare_root() or before.result()
    except debian.CannotTestError as error:
        say(str(error))
        return 1
    say(f"=== prepared with exit code {code} after {time.monotonic() - started:.0f} s")
    command = [".venv/ml/bin/python", "tests/run_all.py", "newest"]
    return code or debian.run(ROOT, command, folder=INSIDE, shared=SHARED)


if __name__ == "__main__":
    sys.exit(main())
