import gc
import os
import sys
import traceback
from pathlib import Path

import pytest

from pipelines.lineage import metadata, metadata_uri

# TFX finds a component's code by the name of its module, and `tests` is somebody else's package once it is loaded.
sys.path.insert(0, str(Path(__file__).parent))

import postgresql_server as server


@pytest.fixture(scope="session")
def postgresql():
    if server.binaries() is None:
        pytest.skip("needs PostgreSQL's initdb and postgres, and they are not installed")
    with server.running() as running:
        yield running


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def connection(request, tmp_path, monkeypatch):
    """The way to an empty store, found as nodes find it."""
    monkeypatch.delenv(metadata_uri.VARIABLE, raising=False)
    if request.param == "PostgreSQL":
        monkeypatch.setenv(metadata_uri.VARIABLE, request.getfixturevalue("postgresql").new_database())
    return metadata.connection(tmp_path)


@pytest.fixture
def at_once(tmp_path):
    """Runs functions at the same time, each in a process of its own; returns what they raised."""

    def run(*works):
        children = [_fork(work, tmp_path / f"error-{number}") for number, work in enumerate(works)]
        ended = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child, _ in children]
        errors = [
            error.read_text() if error.is_file() else f"it ended with {code} before it could say why"
            for (_, error), code in zip(children, ended, strict=True)
        ]
        return [error for error in errors if error]

    return run


def _fork(work, error):
    child = os.fork()
    if child:
        return child, error
    gc.freeze()  # what the tests before left of TensorFlow cannot be collected after a fork
    said = ""
    try:
        work()
    except BaseException:
        said = traceback.format_exc()
    error.write_text(said)
    os._exit(0)
