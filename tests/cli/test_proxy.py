"""No command tells a proxy of the environment what it says to the servers on this machine."""

import json
import socketserver
import threading

import pytest
from click.testing import CliRunner

from cli.main import main
from contract.errors import UnavailableError
from deploy.local.airflow.client import AirflowClient
from deploy.local.credentials import ADMIN, USERS_FILE
from deploy.local.settings import Stack


@pytest.fixture
def heard():
    """What a proxy is told; every program on this machine is asked to use it."""
    told = []

    class Listen(socketserver.BaseRequestHandler):
        def handle(self):
            told.append(self.request.recv(1 << 16))

    with (
        socketserver.ThreadingTCPServer(("127.0.0.1", 0), Listen) as server,
        pytest.MonkeyPatch.context() as patch,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for name in ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy"):
            for variable in (name, name.upper()):
                patch.setenv(variable, f"http://127.0.0.1:{server.server_address[1]}")
        for variable in ("no_proxy", "NO_PROXY"):
            patch.setenv(variable, "example.org")
        yield told
        server.shutdown()


@pytest.fixture
def stack(tmp_path, monkeypatch):
    """A stack that was started once, and is down."""
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path))
    for port, variable in enumerate(("AIRFLOW", "MLFLOW", "GRPC", "REST"), 1):
        monkeypatch.setenv(f"SLIPWAY_{variable}_PORT", str(port))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / USERS_FILE).write_text(json.dumps({ADMIN: "not for a proxy"}))
    return Stack.from_environment()


def test_airflow_gets_its_password_and_nobody_else(stack, heard):
    with pytest.raises(UnavailableError, match="does not answer"):
        AirflowClient(stack)
    assert heard == []


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("trigger", "digits"), id="Airflow"),
        pytest.param(("models",), id="MLflow"),
        pytest.param(("predict", "digits", __file__), id="the model server"),
        pytest.param(("status",), id="all of them"),
    ],
)
@pytest.mark.usefixtures("stack")
def test_a_command_asks_the_servers_themselves(heard, arguments):
    assert CliRunner().invoke(main, arguments).exit_code != 0
    assert heard == []
