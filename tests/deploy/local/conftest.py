import socket
from contextlib import ExitStack

import pytest

from contract.addresses import HOST, PORTS
from deploy.folders import make_folders
from deploy.local.settings import Stack


def free_ports(count):
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((HOST, 0))
        return [probe.getsockname()[1] for probe in probes]


@pytest.fixture
def stack(tmp_path):
    """A stack of its own: a state folder with a blank in its name, and ports nobody listens on."""
    numbers = free_ports(len(PORTS))
    return Stack(tmp_path / "my state", **dict(zip((port.field for port in PORTS), numbers, strict=True)))


@pytest.fixture
def prepared(stack):
    make_folders(stack)
    return stack
