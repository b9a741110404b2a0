"""The gRPC server: its ports, its services, and the event loop that they share, on a thread of its own."""

import asyncio
import logging
import threading
from collections.abc import Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc

from serving.server.errors import invalid_argument, port_taken
from serving.server.event_loop import EventLoop, Lookout
from serving.server.grpc_api import credentials, descriptions, health, profiler, reflection, serving_services
from serving.server.inference import Inference

_log = logging.getLogger(__name__)

_MAX_MESSAGE_BYTES = 2**31 - 1
_OPTIONS: list[tuple[str, Any]] = [
    ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
    ("grpc.so_reuseport", 0),  # two servers on one port would share its calls silently
]

T = TypeVar("T")
Methods = Mapping[str, grpc.RpcMethodHandler]


@dataclass(frozen=True)
class GrpcSettings:
    """Where the server listens, and what it offers.

    Attributes:
        address: `host:port`; empty for none.
        socket_path: Of a Unix socket to listen on as well; empty for none.
        ssl_config_file: Text-format SSLConfig; empty for no transport security.
        channel_arguments: `key=value,key=value`, for gRPC itself.
        threads: How many predictions may be under way.
        health: Offers the health service.
        profiler: Offers the profiler service.
    """

    address: str
    socket_path: str = ""
    ssl_config_file: str = ""
    channel_arguments: str = ""
    threads: int = 16
    health: bool = False
    profiler: bool = True


class GrpcServer:
    """Answers from an `Inference`."""

    def __init__(self, inference: Inference, settings: GrpcSettings) -> None:
        """Binds the port, and the socket if it can.

        Raises:
            OSError: If the port is taken.
            ServingError: If the settings cannot be followed.
        """
        self._settings = settings
        secrets = credentials.read(settings.ssl_config_file) if settings.ssl_config_file else None
        options = [*_OPTIONS, *_channel_arguments(settings.channel_arguments)]
        lookout = Lookout()
        self._loop = asyncio.SelectorEventLoop(lookout)
        threading.Thread(target=self._loop.run_forever, daemon=True, name="grpc").start()
        self._server: grpc.aio.Server = self._on_loop(_make(options))
        for service, methods in _services(inference, settings, EventLoop(self._loop, lookout)).items():
            handler = grpc.method_handlers_generic_handler(service, methods)
            self._server.add_generic_rpc_handlers((handler,))
        self._bind(secrets)

    def start(self) -> None:
        """Begins to answer."""
        self._on_loop(self._server.start())

    def stop(self, grace_s: float) -> None:
        """Takes no more calls; returns when those under way are answered, or `grace_s` seconds have passed."""
        self._on_loop(self._server.stop(grace_s))

    def _bind(self, secrets: grpc.ServerCredentials | None) -> None:
        address, path = self._settings.address, self._settings.socket_path
        if address:
            try:
                self._listen(address, secrets)
            except RuntimeError as error:
                cause = "is it in use?" if secrets is None else "is it in use, or the SSL config wrong?"
                raise OSError(port_taken("port", address, cause)) from error
        if path:
            try:
                self._listen(f"unix:{path}", secrets)
            except RuntimeError as error:
                if not address:
                    raise OSError(port_taken("grpc_socket_path", path, error)) from error
                _log.error(
                    "The socket %s cannot be opened: %s", path, error
                )  # the port alone will do, as there
            else:
                _log.info("Running gRPC ModelServer at UNIX socket %s ...", path)

    def _listen(self, address: str, secrets: grpc.ServerCredentials | None) -> None:
        async def listen() -> None:
            if secrets is None:
                self._server.add_insecure_port(address)
            else:
                self._server.add_secure_port(address, secrets)

        self._on_loop(listen())

    def _on_loop(self, work: "Coroutine[Any, Any, T]") -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


async def _make(options: Sequence[tuple[str, Any]]) -> grpc.aio.Server:
    return grpc.aio.server(options=options)  # belongs to the loop that it is made on


def _services(inference: Inference, settings: GrpcSettings, loop: EventLoop) -> Mapping[str, Methods]:
    pool = ThreadPoolExecutor(settings.threads, "predict")
    loop.running.set_default_executor(pool)
    services: dict[str, Methods] = {
        descriptions.PREDICTION: serving_services.prediction_service(inference, pool, loop),
        descriptions.MODEL: serving_services.model_service(inference.core),
        descriptions.SESSION: serving_services.session_service(inference, pool),
    }
    if settings.health:
        services[health.NAME] = health.health_service(inference.core.unserved, list(services))
    if settings.profiler:
        services[profiler.NAME] = profiler.profiler_service()
    described = reflection.reflection_service([*services, *reflection.NAMES])
    return {**services, **dict.fromkeys(reflection.NAMES, described)}


def _channel_arguments(text: str) -> list[tuple[str, Any]]:
    arguments: list[tuple[str, Any]] = []
    for pair in text.split(",") if text else ():
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise invalid_argument(f"--grpc_channel_arguments is spelled key=value,key=value; got {text!r}.")
        arguments.append((key, int(value) if value.lstrip("-").isdigit() else value))
    return arguments
