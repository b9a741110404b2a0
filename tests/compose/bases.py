"""Stand-ins for the images that the stack takes from a registry, made of Debian's packages. Standard library only."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import debian
from daemon import CannotRunError, Daemon

PYTHON = "python:3.13-slim-trixie"
# The targets of bases/Dockerfile, under the very names that the stack uses.
BUILT = {
    "compiler": "python:3.13-trixie",
    "postgres": "postgres:17-trixie",
    "redis": "redis:7.4-bookworm",
    "tensorflow-serving": "tensorflow/serving:2.19.1",
}
PACKAGES = ("ca-certificates", "netbase", "python3", "python3-pip", "tzdata")
# The image has Python under /usr/local, and takes what pip installs. Compose and Buildx are taken along.
AS_THE_IMAGE = """
set -e
rm -f /usr/lib/python3*/EXTERNALLY-MANAGED
for name in python python3 python3.13; do ln -sf /usr/bin/python3.13 /usr/local/bin/$name; done
mkdir -p /tmp/plugins && cd /tmp/plugins && apt-get update -qq && apt-get download -qq docker-compose docker-buildx
for package in *.deb; do dpkg -x $package .; done
"""
# Registries of packages are asked under the certificates of this machine.
TRUST = f"ENV SSL_CERT_FILE={debian.CERTIFICATES} PIP_CERT={debian.CERTIFICATES} PIP_ROOT_USER_ACTION=ignore"
NOT_IN_IMAGE = (
    "./etc/resolv.conf",
    "./etc/hosts",
    "./tmp/plugins",
    "./var/cache/apt/archives",
    "./var/lib/apt/lists",
)


def make(daemon: Daemon, project: Path) -> None:
    """Makes what is not there yet. A stand-in is built again with what has changed in it.

    Raises:
        CannotRunError: If one cannot be made.
    """
    try:
        if not daemon.plugins.is_dir() or not daemon.docker("images", "--quiet", PYTHON).stdout:
            _make_python(daemon)
        for target, name in BUILT.items():
            _build(daemon, project, target, name)
    except (debian.CannotTestError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", None) or ""
        raise CannotRunError(
            f"A stand-in for a base image could not be made: {error}\n{said[-2000:]}"
        ) from error


def _make_python(daemon: Daemon) -> None:
    root = daemon.folder / "root"
    debian.make(root, PACKAGES)
    code = debian.run(root, ["sh", "-c", AS_THE_IMAGE], folder="/", shared=Path("/mnt"), online=True)
    if code:
        raise CannotRunError(
            f"Compose and Buildx could not be taken from Debian's packages: exit code {code}."
        )
    excluded = [f"--exclude={path}" for path in NOT_IN_IMAGE]
    packing = ["tar", "-C", str(root), *excluded, "-c", "."]
    with subprocess.Popen(packing, stdout=subprocess.PIPE) as tar:
        daemon.docker(
            "import", "--change", TRUST, "--change", 'CMD ["python3"]', "-", PYTHON, stdin=tar.stdout
        )
    plugins = daemon.plugins.with_name("cli-plugins.partial")
    shutil.rmtree(plugins, ignore_errors=True)
    shutil.copytree(root / "tmp/plugins/usr/libexec/docker/cli-plugins", plugins)
    plugins.rename(daemon.plugins)
    shutil.rmtree(root)


def _build(daemon: Daemon, project: Path, target: str, name: str) -> None:
    dockerfile = project / "tests/compose/bases/Dockerfile"
    arguments = ("--network=host", f"--target={target}", f"--tag={name}", f"--file={dockerfile}")
    daemon.docker("build", "--progress=plain", *arguments, str(project))
