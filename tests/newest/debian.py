"""A Debian 13 root folder, made with debootstrap from Debian's packages, and commands in it. Standard library only."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

RELEASE = "trixie"
PACKAGES = (
    "ca-certificates",
    "g++",  # two packages of the lock come as source
    "git",
    "iproute2",
    "make",
    "postgresql",
    "python3",
    "python3-dev",
    "python3-venv",
)
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
OF_THE_HOST = (Path("/etc/resolv.conf"), Path("/etc/hosts"), CERTIFICATES)
MIRROR = "DEBIAN_MIRROR"

# In namespaces of its own: mounts and processes go when the command ends, or whoever started it, however they end.
MOUNTS = ("setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--propagation", "private")
UNSHARE = (*MOUNTS, "--pid", "--fork", "--kill-child")
ENTER = """
set -e
root=$1 shared=$2; shift 2
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/dev/shm"
mkdir -p "$root$shared" && mount --bind "$shared" "$root$shared"
[ -z "$OFFLINE" ] || ip link set lo up
exec chroot "$root" "$@"
"""


class CannotTestError(Exception):
    """The root cannot be made here; the text says what is missing and what to do."""


def mirror() -> str:
    """Returns the address of Debian's archive that this machine's apt uses, or that DEBIAN_MIRROR names.

    Raises:
        CannotTestError: If there is none.
    """
    if MIRROR in os.environ:
        return os.environ[MIRROR]
    files = [*Path("/etc/apt").glob("sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
    for path in files:
        found = re.search(r"^[^#]*?(https?://\S+/debian)/?(?:\s|$)", path.read_text(), re.MULTILINE)
        if found:
            return found[1]
    raise CannotTestError(
        f"Expected a mirror of Debian in /etc/apt/sources.list or sources.list.d, and there is none: set {MIRROR}."
    )


def check() -> None:
    """Makes sure that a root can be made and entered here.

    Raises:
        CannotTestError: If it cannot.
    """
    missing = [
        program for program in ("debootstrap", "ip", "unshare", "setpriv") if not shutil.which(program)
    ]
    if os.geteuid() != 0 or missing:
        raise CannotTestError(
            f"Expected to be root and to find {', '.join(missing) or 'all programs'}: run this as root, with Debian's "
            "packages debootstrap, iproute2 and util-linux installed."
        )


def make(root: Path, packages: Sequence[str] = PACKAGES) -> None:
    """Makes the root where it is not there yet. What is half made has another name.

    Args:
        root: The root folder.
        packages: What is installed in it beyond the least.

    Raises:
        CannotTestError: If it cannot be made.
    """
    check()
    if root.exists():
        return
    partial = root.with_name(f"{root.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.parent.mkdir(parents=True, exist_ok=True)
    include = f"--include={','.join(packages)}"
    # Its mounts too are nobody else's: one that is killed leaves none in a folder that the next one removes.
    command = [*MOUNTS, "debootstrap", "--variant=minbase", include, RELEASE, str(partial), mirror()]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise CannotTestError(f"debootstrap ended with exit code {done.returncode}:\n{done.stdout[-2000:]}")
    partial.rename(root)


def bring(project: Path, root: Path, folder: str) -> None:
    """Copies what git knows of a project, changed or new files too, into a folder of the root; its `.venv` stays."""
    target = root / folder.lstrip("/")
    target.mkdir(exist_ok=True)
    for path in target.iterdir():
        if path.name != ".venv":
            path.unlink() if path.is_symlink() or not path.is_dir() else shutil.rmtree(path)
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listed, cwd=project, stdout=subprocess.PIPE, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (project / name).is_file():  # a deleted file is listed too, and a link to a folder
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(project / name, target / name)


def run(root: Path, command: Sequence[str], *, folder: str, shared: Path, online: bool = False) -> int:
    """Runs a command in the root, with its output on this program's; returns the exit code.

    Args:
        root: The root folder.
        command: Program and arguments.
        folder: Where in the root it runs.
        shared: A folder that is the same inside and outside.
        online: Whether it reaches the network; otherwise it has a loopback interface of its own.
    """
    for path in OF_THE_HOST:
        if path.exists():
            shutil.copy(path, root / path.relative_to("/"))
    network, offline = ((), "") if online else (("--net",), "1")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("SLIPWAY_", "PYTHON"))},
        "HOME": "/root",
        "PATH": "/usr/local/bin:/usr/bin:/usr/sbin:/bin",
        "SSL_CERT_FILE": str(CERTIFICATES),
        "OFFLINE": offline,
    }
    inside = ("env", f"--chdir={folder}", f"SLIPWAY_HOME={shared}", *command)
    entering = (*UNSHARE, *network, "sh", "-c", ENTER, "sh", str(root), str(shared), *inside)
    return subprocess.run(entering, env=environment, check=False).returncode
