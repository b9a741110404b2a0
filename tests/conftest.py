import ctypes
import os
import struct
import subprocess

import pytest

from contract import environment

os.environ.update(environment.for_tensorflow())
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

DAC_OVERRIDE, DAC_READ_SEARCH = 1 << 1, 1 << 2  # capabilities(7)
CAPABILITIES_VERSION = 0x20080522
MOUNT, UNMOUNT = ("mount", "-t", "tmpfs"), ("umount", "--lazy")


@pytest.fixture
def mortal():
    """Takes the right from root, in this thread, to read and write what a mode forbids."""
    if os.geteuid():
        yield
        return
    libc, header = ctypes.CDLL(None), struct.pack("Ii", CAPABILITIES_VERSION, 0)
    before = ctypes.create_string_buffer(24)
    assert libc.capget(header, before) == 0
    effective, *others = struct.unpack("6I", before.raw)
    without = struct.pack("6I", effective & ~(DAC_OVERRIDE | DAC_READ_SEARCH), *others)
    assert libc.capset(header, without) == 0
    yield
    assert libc.capset(header, before) == 0


@pytest.fixture
def small_disk():
    """Makes a folder a disk of some size, or changes that; root alone can."""
    mounted = []

    def small_disk(folder, kilobytes):
        options = f"size={kilobytes}k" + (",remount" if folder in mounted else "")
        done = subprocess.run([*MOUNT, "-o", options, "tmpfs", folder], capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"a disk that is full needs root: {done.stderr.strip()}")
        mounted.append(folder)

    yield small_disk
    for folder in set(mounted):
        subprocess.run([*UNMOUNT, folder], check=True)
