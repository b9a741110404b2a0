"""Carries HTTP requests to a `RestApi` and its answers back; knows connections, not models."""

import gzip
import json
import logging
import socket
import threading
import zlib
from io import BytesIO

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from serving.server.errors import Code, ServingError, http_status, invalid_argument, port_taken
from serving.server.rest_api.routes import RestApi

_log = logging.getLogger(__name__)

_METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"]
_MAX_INFLATED_BYTES = 100 * 2**20


class HttpServer:
    """Serves a `RestApi` on a thread of its own."""

    def __init__(self, api: RestApi, host: str, port: int, grace_s: float) -> None:
        """Binds the port.

        Raises:
            OSError: If the port is taken.
        """
        self._socket = _listen(host, port)
        self._server = uvicorn.Server(
            uvicorn.Config(
                _application(api),
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=round(grace_s),
            )
        )
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), daemon=True, name="rest"
        )

    def start(self) -> None:
        """Begins to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Takes no more connections, and returns when the requests under way are answered."""
        self._server.should_exit = True
        self._thread.join()


def _listen(host: str, port: int) -> socket.socket:
    # asyncio turns Nagle's delay (40 ms a request) off only where it sees the protocol spelled out.
    listening = socket.socket(
        socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP
    )
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen()  # from here on connections queue, though the thread is still to start
    except OSError as error:
        listening.close()
        raise OSError(port_taken("rest_api_port", f"{host}:{port}", error)) from error
    return listening


def _application(api: RestApi) -> Starlette:
    async def handle(request: Request) -> Response:
        path = request.scope["raw_path"].decode("latin-1")
        if not path.lower().startswith("/v1/"):
            return HTMLResponse("<html><head>\n<title>404 Not Found</title>\n</head></html>", 404)
        encoding = request.headers.get("content-encoding", "")
        return await run_in_threadpool(_respond, api, request.method, path, await request.body(), encoding)

    return Starlette(routes=[Route("/{path:path}", handle, methods=_METHODS)])


def _respond(api: RestApi, method: str, path: str, body: bytes, encoding: str) -> Response:
    try:
        return _json(api.answer(method, path, _inflated(body, encoding)), 200)
    except ServingError as error:
        return _error(error)
    except Exception as error:
        _log.exception("A request failed in a way it should not")
        return _error(ServingError(Code.INTERNAL, f"{type(error).__name__}: {error}"))


def _inflated(body: bytes, encoding: str) -> bytes:
    if encoding.lower() != "gzip":
        return body
    try:
        inflated = gzip.GzipFile(fileobj=BytesIO(body)).read(_MAX_INFLATED_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise invalid_argument("Failed to decompress the gzip request body") from error
    if len(inflated) > _MAX_INFLATED_BYTES:
        raise invalid_argument(f"The request body inflates to more than {_MAX_INFLATED_BYTES} bytes")
    return inflated


def _json(body: bytes, status: int) -> Response:
    return Response(body, status, media_type="application/json")


def _error(error: ServingError) -> Response:
    return _json(json.dumps({"error": error.message}).encode("utf-8"), http_status(error.code))
