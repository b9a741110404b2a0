"""The embedded model server: `python -m serving.server --port=8500 --model_config_file=FILE`."""

import os

from contract import environment

# Read when TensorFlow is imported, which `serve` does.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # its errors belong into the log of a server
os.environ.update(environment.for_tensorflow())
os.environ.setdefault(
    "TF_FORCE_GPU_ALLOW_GROWTH", "true"
)  # the rest of a GPU's memory stays free for training
# gRPC's event engine takes what arrives from thread to thread: a tenth of the time of a small call.
os.environ.setdefault("GRPC_EXPERIMENTS", "-event_engine_listener")

import importlib.metadata
import logging
import signal
import sys
import threading

from serving.server.start import flags

_log = logging.getLogger(__name__)

START_FAILED = 255  # the exit code of tensorflow_model_server


def main(arguments: list[str]) -> int:
    """Runs the server.

    Args:
        arguments: The command line without the program's name.

    Returns:
        The exit code: 0 after a stop by signal, 255 if the server could not start.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    try:
        options = flags.parse(arguments)
        if options.version:
            sys.stdout.write(_versions())
            return 0
    except (flags.FlagError, flags.HelpWanted) as error:
        flags.report(error)
        return START_FAILED
    try:
        flags.check(options)
    except flags.FlagError as error:
        return _not_started(f"INVALID_ARGUMENT: {error}")
    return _run(options)


def _run(options: flags.Flags) -> int:
    from serving.server.errors import ServingError
    from serving.server.start import app  # TensorFlow: about ten seconds

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        app.serve(options, stop)
    except (ServingError, OSError) as error:
        return _not_started(error)
    return 0


def _not_started(error: object) -> int:
    _log.error("Failed to start server. Error: %s", error)
    sys.stdout.write(f"Failed to start server. Error: {error}\n")  # where TensorFlow Serving says it
    return START_FAILED


def _versions() -> str:
    tensorflow, slipway = (
        importlib.metadata.version(name) for name in ("tensorflow", "tensorflow-serving-api")
    )
    return f"TensorFlow ModelServer: Slipway embedded, APIs of {slipway}\nTensorFlow Library: {tensorflow}\n"


if __name__ == "__main__":
    code = main(sys.argv[1:])
    logging.shutdown()
    sys.stdout.flush()
    os._exit(code)  # a load under way cannot be interrupted, and must not be torn down half-way
