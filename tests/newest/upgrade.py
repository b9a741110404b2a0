"""The newest stack goes on with the state that an older one has left in SLIPWAY_HOME: a run of digits, released."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from components import plugins
from components.families.interface import Sources
from components.ingestion import reading
from contract.addresses import grpc_target
from contract.run_folder import RUN, RunFolder
from contract.state import StateFolder
from pipelines.definition import config
from serving.client import Client

SLIPWAY = Path(sys.executable).with_name("slipway")


def slipway(*arguments):
    return subprocess.run([SLIPWAY, *arguments], capture_output=True, text=True)


def runs():
    """The runs of the state folder, the oldest first."""
    folders = (StateFolder.from_environment().pipelines / "digits/runs").iterdir()
    found = sorted(
        (folder for folder in folders if (folder / RUN).exists()), key=lambda path: path.stat().st_ctime
    )
    return [RunFolder.here("digits", folder.name) for folder in found]


def answer(record, **asked):
    images = np.array([record.content], dtype=object)
    with Client(grpc_target()) as client:
        return client.predict("digits", {"image_bytes": images}, signature="encoded", **asked)


@pytest.fixture(scope="module", autouse=True)
def stack():
    done = subprocess.run([sys.executable, "-m", "deploy.local", "up"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    yield
    subprocess.run([sys.executable, "-m", "deploy.local", "down"], check=True)


@pytest.fixture(scope="module")
def record():
    digits = config.load("digits")
    return next(reading.read(plugins.load(digits.family_module("sources"), Sources), digits.source))


@pytest.fixture(scope="module")
def before():
    (run,) = runs()
    return run


@pytest.fixture(scope="module")
def after(before):
    """The run of the newest stack, nothing but the stack being new."""
    done = slipway("run", "digits")
    assert done.returncode == 0, done.stdout + done.stderr
    (_, run) = runs()
    return run


def test_the_version_of_the_older_stack_is_served_and_answers(before, record):
    found = answer(record, label="stable")
    assert found.version == 1
    assert found.outputs["label"][0].decode() == record.label


def test_an_upgraded_stack_computes_everything_anew(before, after):
    results = after.results()
    assert set(results) == set(before.results())
    assert [node for node, result in results.items() if result.cached] == []


def test_its_candidate_is_compared_with_the_version_of_the_older_stack_and_replaces_it(after, record):
    assert json.loads((after.path / RUN).read_text())["compared_with"] == 1
    found = answer(record, label="stable")
    assert found.version == 2
    assert found.outputs["label"][0].decode() == record.label


def test_a_second_run_takes_everything_from_the_first(after):
    done = slipway("run", "digits")
    assert done.returncode == 0, done.stdout + done.stderr
    results = runs()[-1].results()
    assert [node for node, result in results.items() if result.cached] == [
        node for node in results if node not in ("prepare", "register", "push", "close")
    ]


def test_the_version_of_the_older_stack_can_be_promoted_again(after, record):
    done = slipway("rollback", "digits")
    assert done.returncode == 0, done.stdout + done.stderr
    found = answer(record, label="stable")
    assert found.version == 1
    assert found.outputs["label"][0].decode() == record.label
