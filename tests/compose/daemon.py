"""A Docker daemon of the tests' own: images, containers and networks are nobody else's. Standard library only."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = (
    "dockerd",
    "docker",
    "containerd",
    "runc",
    "iptables",
    "iptables-restore",
    "iptables-save",
    "ip",
    "unshare",
    "nsenter",
    "setpriv",
)
# As nobody's networks are likely to be. Docker's own networks start at 172.17.
ADDRESSES = "base=10.213.0.0/16,size=24"
NAME = "slipway-test-compose"
RUN = Path("/run") / NAME  # its socket: a short path, and one daemon of the tests' on a machine
BRIDGES = ("slipway-front", "slipway-back")  # as builds-here.yaml names them
START_S, STOP_S = 60, 60

# In namespaces of its own: whatever happens, its processes and mounts go when it goes.
ALONE = (
    *("setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--propagation", "private", "--pid", "--fork"),
    *("--kill-child", "--mount-proc"),
)


class CannotRunError(Exception):
    """The daemon cannot run here; the text says what is missing and what to do."""


class NoDaemonError(CannotRunError):
    """Everything is there, and this machine does not let a daemon run."""


@dataclass(frozen=True)
class Daemon:
    """A daemon that runs.

    Attributes:
        folder: What is kept for the next time: images, the cache of builds, Docker's configuration.
        socket: Where it listens.
        process: That started it; `dockerd` is its only child.
    """

    folder: Path
    socket: Path
    process: subprocess.Popen[bytes]

    @property
    def environment(self) -> Mapping[str, str]:
        """What Docker's programs find it by, and the plugins that were made for it."""
        own = {
            name: value for name, value in os.environ.items() if not name.startswith(("DOCKER_", "COMPOSE_"))
        }
        return {
            **own,
            "DOCKER_HOST": f"unix://{self.socket}",
            "DOCKER_CONFIG": str(self.folder / "config"),
            "DOCKER_BUILDKIT": "1",
            "BUILDKIT_PROGRESS": "plain",
        }

    @property
    def plugins(self) -> Path:
        """Where `docker` looks for Compose and Buildx."""
        return self.folder / "config" / "cli-plugins"

    @property
    def pid(self) -> int:
        """Of `dockerd`, as this system numbers it."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return int(children.read_text().split()[0])

    def docker(self, *arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
        """Runs `docker`, and returns what it said.

        Raises:
            subprocess.CalledProcessError: If it fails.
        """
        command = ["docker", *arguments]
        return subprocess.run(
            command,
            env=self.environment,
            text=True,
            check=True,
            capture_output=True,
            **options,
        )


@contextmanager
def running(folder: Path) -> Iterator[Daemon]:
    """Runs a daemon while the block lasts; nothing of it runs afterwards.

    Raises:
        CannotRunError: If it cannot run here.
    """
    _check_programs()
    (folder / "data").mkdir(parents=True, exist_ok=True)
    with _alone(), _firewall_as_it_was():
        daemon = Daemon(folder, RUN / "docker.sock", _start(folder))
        try:
            _wait(daemon)
            yield daemon
        finally:
            _stop(daemon)
            shutil.rmtree(RUN)


def _check_programs() -> None:
    missing = [name for name in PROGRAMS if not shutil.which(name)]
    if missing or os.geteuid() != 0:
        raise CannotRunError(
            f"Expected to be root, and to find Docker's daemon, got user {os.geteuid()} and "
            f"{'no ' + ', '.join(missing) if missing else 'all programs'}: install the packages docker.io, iptables "
            "and iproute2, and run this as root."
        )


@contextmanager
def _alone() -> Iterator[None]:
    """Waits for the end of another run on this machine: both would have the same networks and the same firewall."""
    with RUN.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.stdout.write("Another `make test-compose` is running on this machine: waiting for its end.\n")
            sys.stdout.flush()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _firewall_as_it_was() -> Iterator[None]:
    """Removes the rules that the daemon leaves behind, unless another daemon has been here and may need them."""
    save, restore = ("iptables-save",), ("iptables-restore",)
    before = subprocess.run(save, capture_output=True, check=False).stdout
    try:
        yield
    finally:
        if b"DOCKER" not in before:
            subprocess.run(restore, input=before, check=False)


def _start(folder: Path) -> subprocess.Popen[bytes]:
    command = [
        *(
            "dockerd",
            f"--host=unix://{RUN}/docker.sock",
            f"--data-root={folder}/data",
            f"--exec-root={RUN}/exec",
        ),
        *(
            f"--pidfile={RUN}/docker.pid",
            f"--config-file={RUN}/none.json",
            f"--cgroup-parent=/{NAME}",
        ),
        *("--bridge=none", f"--default-address-pool={ADDRESSES}", "--log-level=warn"),
    ]
    # What one that was killed has left behind. Its processes and mounts are gone.
    shutil.rmtree(RUN, ignore_errors=True)
    for bridge in BRIDGES:
        subprocess.run(["ip", "link", "delete", bridge], capture_output=True, check=False)  # noqa: S607
    RUN.mkdir(mode=0o700)
    (RUN / "none.json").write_text("{}")
    with (folder / "dockerd.log").open("wb") as log:
        return subprocess.Popen([*ALONE, *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def _wait(daemon: Daemon) -> None:
    deadline = time.monotonic() + START_S
    asking = ["docker", "info"]
    while subprocess.run(asking, env=daemon.environment, capture_output=True, check=False).returncode:
        if daemon.process.poll() is not None or time.monotonic() > deadline:
            said = (daemon.folder / "dockerd.log").read_text(errors="replace")[-2000:]
            raise NoDaemonError(
                "Expected Docker's daemon to start on this machine, and it does not. It said:\n"
                f"{said}\nContainers want root with the right to mount and to make namespaces: a virtual machine, not "
                "an ordinary container."
            )
        time.sleep(0.2)


def _stop(daemon: Daemon) -> None:
    """By TERM, which takes its networks along; then by KILL, with all that it started."""
    if daemon.process.poll() is None:
        os.kill(daemon.pid, signal.SIGTERM)
    try:
        daemon.process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        daemon.process.kill()
        daemon.process.wait()
    for group in sorted(Path("/sys/fs/cgroup").glob(f"**/{NAME}/**/"), reverse=True):
        group.rmdir()
