import asyncio
import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from dags.triggers.registry import Model, Registry, RegistryError

ADA = {"MLFLOW_TRACKING_USERNAME": "ada", "MLFLOW_TRACKING_PASSWORD": "s3cret"}


@pytest.fixture
def stranger():
    """A server that answers whatever it is told to, and keeps what it was asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            server.asked.append((self.path, dict(self.headers)))
            status, body = server.answer
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked, server.answer = [], (200, b"{}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def models(server, **environment):
    async def ask():
        uri = f"http://127.0.0.1:{server.server_port}"
        async with Registry({"MLFLOW_TRACKING_URI": uri, **environment}) as registry:
            return await registry.models()

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("credentials", "sent"),
    [
        ({}, None),
        (
            ADA,
            "Basic " + base64.b64encode(b"ada:s3cret").decode(),
        ),
        ({"MLFLOW_TRACKING_TOKEN": "t0ken"}, "Bearer t0ken"),
    ],
)
def test_mlflow_is_asked_with_its_own_credentials(stranger, credentials, sent):
    assert models(stranger, **credentials) == []

    ((path, headers),) = stranger.asked
    assert path.startswith("/api/2.0/mlflow/registered-models/search?")
    assert headers.get("Authorization") == sent


def test_a_proxy_of_the_environment_is_not_asked(stranger, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")

    assert models(stranger) == []


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((401, b""), "answered 401 Unauthorized"),
        ((503, b""), "answered 503 Service Unavailable"),
        ((200, b"<html>"), "should answer at MLFLOW_TRACKING_URI"),
        ((200, b"[]"), "should answer with JSON objects"),
        ((200, b'{"registered_models": [5]}'), "should answer with JSON objects"),
        ((200, b'{"registered_models": [{"name": "m", "tags": ["x"]}]}'), "should answer with JSON objects"),
        ((200, b'{"registered_models": 5}'), "should answer with JSON objects"),
    ],
)
def test_any_other_answer_is_an_outage_that_names_no_secret(stranger, answer, message):
    stranger.answer = answer

    with pytest.raises(RegistryError, match=message) as raised:
        models(stranger, **ADA)

    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize("uri", ["", "sqlite:///mlflow.db", "http://ada:s3cret@127.0.0.1:9"])
def test_an_address_where_nobody_answers_is_an_outage_that_names_no_secret(uri):
    async def ask():
        async with Registry({"MLFLOW_TRACKING_URI": uri}) as registry:
            return await registry.models()

    with pytest.raises(RegistryError, match="should answer at MLFLOW_TRACKING_URI=") as raised:
        asyncio.run(ask())

    assert "s3cret" not in str(raised.value)


def test_a_certificate_that_is_not_there_is_named():
    with pytest.raises(RegistryError, match=r"/nowhere/ca\.pem"):
        Registry({"MLFLOW_TRACKING_SERVER_CERT_PATH": "/nowhere/ca.pem"})


def test_only_models_with_a_tag_of_slipway_are_listed(stranger):
    live = {
        "name": "digits",
        "tags": [{"key": "slipway.live_version", "value": "3"}],
        "aliases": [{"alias": "challenger", "version": "5"}, {"alias": "champion", "version": "4"}],
    }
    new = {"name": "new", "tags": [{"key": "slipway.pipeline", "value": "new"}]}
    other = {"name": "other", "tags": [{"key": "owner", "value": "ada"}]}
    stranger.answer = (200, json.dumps({"registered_models": [live, new, other, {"name": "bare"}]}).encode())

    assert models(stranger) == [Model("digits", "4", "3"), Model("new", None, None)]
