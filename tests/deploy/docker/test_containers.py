"""What `make test-compose` says where it cannot run. Starts no container."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[3]
DAEMON = "import sys; sys.path.insert(0, 'tests/compose'); import daemon; from pathlib import Path\n"


@pytest.fixture
def programs(tmp_path):
    """A folder of programs that do nothing, as the only one on PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    names = (
        "docker",
        "containerd",
        "runc",
        "iptables",
        "iptables-restore",
        "iptables-save",
        "ip",
        "unshare",
        "nsenter",
    )
    for name, text in {**dict.fromkeys(names, "exit 1"), "setpriv": "echo no right to mount >&2"}.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    return folder


def start(tmp_path, programs):
    code = f"{DAEMON}daemon.RUN = Path({str(tmp_path / 'run')!r})\n"
    code += f"with daemon.running(Path({str(tmp_path / 'kept')!r})): pass"
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=PROJECT,
        env={**os.environ, "PATH": str(programs)},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="the daemon wants root")
def test_a_missing_daemon_is_named_with_the_package_that_has_it(tmp_path, programs):
    done = start(tmp_path, programs)

    assert "no dockerd: install the packages docker.io, iptables and iproute2" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="the daemon wants root")
def test_a_daemon_that_cannot_start_here_is_said_with_its_own_words(tmp_path, programs):
    (programs / "dockerd").write_text("#!/bin/sh\n")
    (programs / "dockerd").chmod(0o755)

    done = start(tmp_path, programs)

    assert "Expected Docker's daemon to start on this machine, and it does not" in done.stderr
    assert "no right to mount" in done.stderr
