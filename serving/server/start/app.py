"""Puts the parts together: loads what is configured, opens the ports, runs until told to stop."""

import gc
import logging
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import grpc
import tensorflow as tf

from serving.server.errors import ServingError
from serving.server.execution import servable, warmup
from serving.server.execution.servable import SavedModel
from serving.server.grpc_api import services
from serving.server.lifecycle import model_config
from serving.server.lifecycle.core import Core, unavailable_error
from serving.server.lifecycle.manager import Manager, Retries
from serving.server.lifecycle.model_settings import ModelSettings
from serving.server.rest_api.http_server import HttpServer
from serving.server.rest_api.routes import RestApi
from serving.server.start.flags import Flags

_log = logging.getLogger(__name__)

GRACE_S = 5.0  # what requests under way get when the server is stopped
_MIN_WORKERS = 16


def serve(flags: Flags, stop: threading.Event) -> None:
    """Serves until `stop` is set, then finishes the requests under way.

    Raises:
        ServingError: If the configuration cannot be used, or a configured model cannot be loaded.
        OSError: If a port is taken.
    """
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    tf.get_logger().setLevel(logging.ERROR)  # one deprecation warning per load otherwise
    gc.freeze()  # keeps TensorFlow's own objects out of every later collection, which would pause requests
    core = _make_core(flags)
    _load_configured(core, flags, stop)
    servers = _open_ports(core, flags)
    _repeat(core.poll, flags.file_system_poll_wait_seconds, stop)
    if flags.model_config_file:
        _repeat(lambda: _reload_file(core, flags, stop), flags.model_config_file_poll_wait_seconds, stop)
    stop.wait()
    _log.info("Stopping: finishing requests under way")
    _close(*servers)


def _make_core(flags: Flags) -> Core[SavedModel]:
    def load(_: str, path: Path) -> SavedModel:
        model = servable.load(path)
        if flags.enable_model_warmup:
            try:
                warmup.replay(model, path)
            except Exception:
                model.close()
                raise
        return model

    retries = Retries(flags.max_num_load_retries, flags.load_retry_interval_micros / 1e6)
    return Core(
        Manager(load, retries), allow_labels_for_unavailable=flags.allow_version_labels_for_unavailable_models
    )


def _settings(flags: Flags) -> Sequence[ModelSettings]:
    if flags.model_config_file:
        return model_config.read_file(flags.model_config_file)
    return model_config.single(flags.model_name, flags.model_base_path)


def _load_configured(core: Core[SavedModel], flags: Flags, stop: threading.Event) -> None:
    unavailable = core.apply(_settings(flags), lambda: not stop.is_set())
    failed = [failure for failure in unavailable if failure.version is not None]
    if failed and not stop.is_set():
        raise unavailable_error("servable(s)", failed)


def _open_ports(core: Core[SavedModel], flags: Flags) -> tuple[grpc.Server, HttpServer | None]:
    address = f"{flags.bind_address}:{flags.port}"
    grpc_server = services.make_server(core, address, max(_MIN_WORKERS, 4 * (os.cpu_count() or 1)))
    rest_server = None
    if flags.rest_api_port == flags.port:
        _log.error("--rest_api_port is the gRPC port %d: REST is off. Pass another port.", flags.port)
    elif flags.rest_api_port:
        api = RestApi(core, flags.rest_api_timeout_in_ms / 1000)
        rest_server = HttpServer(api, flags.bind_address, flags.rest_api_port, GRACE_S)
    grpc_server.start()
    _log.info("Running gRPC ModelServer at %s ...", address)
    if rest_server:
        rest_server.start()
        _log.info("Exporting HTTP/REST API at:localhost:%d ...", flags.rest_api_port)
    return grpc_server, rest_server


def _close(grpc_server: grpc.Server, rest_server: HttpServer | None) -> None:
    finished = grpc_server.stop(GRACE_S)
    if rest_server:
        rest_server.stop()
    finished.wait()


def _reload_file(core: Core[SavedModel], flags: Flags, stop: threading.Event) -> None:
    for failure in core.apply(_settings(flags), lambda: not stop.is_set()):
        _log.error("%s serves nothing: %s", failure.model, failure.reason)


def _repeat(task: Callable[[], None], period_s: float, stop: threading.Event) -> None:
    def run() -> None:
        while not stop.wait(period_s):
            try:
                task()
            except ServingError as error:
                _log.error("%s. The configuration in force stays.", error)
            except Exception:
                _log.exception("A periodic task failed; it is tried again in %g s", period_s)

    if period_s > 0:
        threading.Thread(target=run, daemon=True, name="poll").start()
