"""The HTTP face: TensorFlow Serving's paths, JSON bodies and status codes, in terms of the core."""

import gzip
import json
import logging
import re
import socket
import threading
import zlib
from io import BytesIO
from urllib.parse import unquote

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from serving.server import json_predict, metadata
from serving.server.core import Core
from serving.server.errors import Code, ServingError, http_status, invalid_argument, port_taken
from serving.server.model_ref import DEFAULT_SIGNATURE, ModelRef
from serving.server.prediction import predict
from serving.server.servable import SavedModel
from serving.server.tensors import dtype_name

_log = logging.getLogger(__name__)

_MODEL = (
    r"(?i:/v1/models)/(?P<name>[^/:]+)(?:(?i:/versions)/(?P<version>\d+)|(?i:/labels)/(?P<label>[^/:]+))?"
)
_PREDICT = re.compile(_MODEL + r":(?P<verb>(?i:predict|classify|regress))")
_READ = re.compile(_MODEL + r"(?P<metadata>(?i:/metadata))?")
_NO_NAME = re.compile(r"(?i)/v1/models")
_MAX_INFLATED_BYTES = 100 * 2**20
_INT64_MAX = 2**63 - 1


class RestApi:
    """Answers requests by path; one instance serves all connections."""

    def __init__(self, core: Core[SavedModel], timeout_s: float) -> None:
        """Answers from `core`; a prediction may take `timeout_s` seconds."""
        self._core = core
        self._timeout_s = timeout_s

    def answer(self, method: str, path: str, body: bytes) -> bytes:
        """Returns the JSON answer to one request.

        Args:
            method: HTTP method.
            path: Path as sent, percent-encoding and all.
            body: Request body, inflated.

        Raises:
            ServingError: With the text for the `error` key.
        """
        if method == "POST" and (match := _PREDICT.fullmatch(path)):
            return self._predict(match, body)
        if method == "GET" and (match := _READ.fullmatch(path)):
            return self._read(match)
        if method == "GET" and _NO_NAME.fullmatch(path):
            raise invalid_argument("Missing model name in request.")
        raise invalid_argument(f"Malformed request: {method} {path}")

    def _predict(self, match: re.Match[str], body: bytes) -> bytes:
        verb = match["verb"].lower()
        if verb != "predict":
            raise ServingError(
                Code.UNIMPLEMENTED,
                f"{verb} is not offered by the embedded model server; use predict, "
                "or run tensorflow_model_server.",
            )
        ref = _to_ref(match)
        request = json_predict.parse(body)
        with self._core.use(ref) as (_, model):
            signature_name = request.signature_name or DEFAULT_SIGNATURE
            if signature_name not in model.signatures:
                raise invalid_argument(
                    f'Serving signature name: "{signature_name}" not found in signature def'
                )
            infos = model.signatures[signature_name].inputs
            dtypes = {alias: dtype_name(info.dtype) for alias, info in infos.items()}
            inputs = json_predict.to_inputs(request, dtypes)
            outputs = predict(model, signature_name, inputs, timeout_s=self._timeout_s)
        return json_predict.render(outputs, by_row=request.by_row)

    def _read(self, match: re.Match[str]) -> bytes:
        ref = _to_ref(match)
        if not match["metadata"]:
            return _dump(metadata.status_json(self._core.states(ref)))
        with self._core.use(ref) as (version, model):
            return _dump(metadata.metadata_json(ref.name, version, model.signatures))


class RestServer:
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
        try:
            body = _inflated(await request.body(), request.headers.get("content-encoding", ""))
            answer = await run_in_threadpool(api.answer, request.method, path, body)
        except ServingError as error:
            return _json(_dump({"error": error.message}), http_status(error.code))
        except Exception as error:
            _log.exception("A request failed in a way it should not")
            return _json(_dump({"error": f"{type(error).__name__}: {error}"}), http_status(Code.INTERNAL))
        return _json(answer, 200)

    methods = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"]
    return Starlette(routes=[Route("/{path:path}", handle, methods=methods)])


def _to_ref(match: re.Match[str]) -> ModelRef:
    version = None
    if match["version"]:
        version = int(match["version"])
        if version > _INT64_MAX:
            raise invalid_argument(f"Failed to convert version: {match['version']} to numeric.")
    label = unquote(match["label"]) if match["label"] else None
    return ModelRef(unquote(match["name"]), version, label)


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


def _dump(document: dict[str, object]) -> bytes:
    return json.dumps(document).encode("utf-8")
