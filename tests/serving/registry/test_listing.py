import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from serving.errors import RegistryError
from serving.registry.listing import Listing


@pytest.fixture
def asked():
    """An MLflow without models; what it was asked with."""
    heard = []

    class Empty(BaseHTTPRequestHandler):
        def do_GET(self):
            heard.append(dict(self.headers))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({}).encode())

        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Empty) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", heard
        server.shutdown()


def test_it_asks_with_mlflow_s_own_credentials(asked, monkeypatch):
    uri, heard = asked
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "t0ken")
    with Listing(uri) as listing:
        assert listing.models() == []
    assert heard[0]["Authorization"] == "Bearer t0ken"


def test_a_certificate_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", "/nowhere/ca.pem")
    with pytest.raises(RegistryError, match=r"no certificate can be read at /nowhere/ca\.pem"):
        Listing("https://127.0.0.1:1")
