import sys

import numpy as np
import pytest

from components import records
from components.export import save_served_model
from components.infra_validation import checks, sandbox
from components.training.model import build
from components.training.settings import TrainingSettings
from serving.client import Client
from serving.errors import ReleaseError, ServerUnavailableError

SHAPE = records.ImageShape(8, 8, 1)
SERVER = [sys.executable, "-m", "serving.server"]
DEADLINE_S = 60


@pytest.fixture(scope="module")
def sample(examples_dir):
    return checks.Sample.of(examples_dir, SHAPE)


@pytest.fixture(scope="module")
def candidate(sample, tmp_path_factory):
    folder = tmp_path_factory.mktemp("candidate")
    trunk = build(SHAPE, 2, TrainingSettings(filters=4, dense_units=4))
    save_served_model(trunk, folder, classes=["dark", "light"], shape=SHAPE)
    checks.write_warmup(sample, "digits", folder)
    return folder


def test_a_real_server_gives_the_candidate_s_answers_and_one_that_differs_is_named(candidate, sample):
    with sandbox.serving("digits", candidate, SERVER) as server:
        expected = checks.answers(sample, candidate)
        client = server.available(DEADLINE_S)
        assert checks.wrong_answers(client, "digits", sample, expected, tolerance=1e-4) == []
        other = expected | {"encoded": expected["encoded"] + np.float32(0.25)}
        found = checks.wrong_answers(client, "digits", sample, other, tolerance=1e-4)
        assert found == ["signature encoded: probabilities differ by up to 0.25"]
        assert (checks.latencies_ms(client, "digits", sample, 3) > 0).all()
    with Client(client.target) as anew, pytest.raises(ServerUnavailableError):
        anew.versions("digits")


def test_a_candidate_that_no_server_can_load_is_refused_with_what_the_server_said(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"torn")
    with sandbox.serving("digits", tmp_path, SERVER) as server, pytest.raises(ReleaseError, match="load"):
        server.available(DEADLINE_S)


def test_a_server_that_ends_at_once_is_reported_with_its_last_lines(candidate):
    command = [sys.executable, "-c", "import sys; sys.exit('no such flag')"]
    with (
        sandbox.serving("digits", candidate, command) as server,
        pytest.raises(ReleaseError, match=r"exit code 1:\nno such flag"),
    ):
        server.available(DEADLINE_S)


def test_a_candidate_that_tensorflow_cannot_load_is_refused(sample, tmp_path):
    with pytest.raises(ReleaseError, match="cannot load and call it"):
        checks.answers(sample, tmp_path)
