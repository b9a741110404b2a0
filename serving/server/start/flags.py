"""The command line, spelled as TensorFlow Serving spells it: `--name=value`.

Knows nothing of TensorFlow, so that `--version` and a mistyped flag answer at once.
"""

import argparse
import dataclasses
import logging
import sys
from collections.abc import Sequence

_log = logging.getLogger(__name__)

_TRUE = {"true", "1"}
_FALSE = {"false", "0"}


@dataclasses.dataclass(frozen=True)
class Flags:
    """What the server was told; each field is the flag of the same name.

    Attributes:
        port: gRPC port.
        rest_api_port: HTTP port; 0 turns REST off.
        bind_address: Interface of both ports. TensorFlow Serving has no such flag and takes all interfaces.
        model_config_file: Text-format ModelServerConfig; an empty file means no models yet.
        model_config_file_poll_wait_seconds: Seconds between re-readings of that file; 0 reads it once.
        model_name: Name of the only model, where there is no config file.
        model_base_path: Its directory of numbered versions.
        file_system_poll_wait_seconds: Seconds between looks for new versions; 0 or less looks only when
            the configuration changes.
        max_num_load_retries: Further attempts after a failed load.
        load_retry_interval_micros: Microseconds between attempts.
        allow_version_labels_for_unavailable_models: Lets a new label name a version that is not loaded yet.
        rest_api_timeout_in_ms: Milliseconds a REST prediction may take.
        enable_model_warmup: Replays the warm-up records of a version before it becomes available.
        version: Prints versions and ends.
    """

    port: int = 8500
    rest_api_port: int = 0
    bind_address: str = "127.0.0.1"
    model_config_file: str = ""
    model_config_file_poll_wait_seconds: int = 0
    model_name: str = "default"
    model_base_path: str = ""
    file_system_poll_wait_seconds: int = 1
    max_num_load_retries: int = 5
    load_retry_interval_micros: int = 60_000_000
    allow_version_labels_for_unavailable_models: bool = False
    rest_api_timeout_in_ms: int = 30_000
    enable_model_warmup: bool = True
    version: bool = False


class FlagError(ValueError):
    """A known flag has a value it cannot have."""


def parse(arguments: Sequence[str]) -> Flags:
    """Reads the command line.

    Unknown arguments are warned about and skipped, as TensorFlow Serving does.

    Raises:
        FlagError: If a known flag has a value of the wrong type.
    """
    parser, values = _parser(), argparse.Namespace()
    for argument in arguments:
        try:
            # One at a time: TensorFlow Serving takes a value only after an equals sign, argparse the next argument too.
            _, unknown = parser.parse_known_args([argument], values)
        except argparse.ArgumentError as error:
            raise FlagError(
                f"{error.argument_name} {error.message}. A flag is spelled --name=value."
            ) from None
        if unknown:
            _log.warning("unknown argument: %s (ignored). Known flags:\n%s", argument, usage())
    return Flags(**vars(values))


def usage() -> str:
    """Returns one line per flag with its default."""
    return "\n".join(f"  --{field.name}={field.default!s}" for field in dataclasses.fields(Flags))


def check(flags: Flags) -> None:
    """Refuses combinations that cannot start.

    Raises:
        FlagError: If there is no gRPC port, or neither a config file nor a base path.
    """
    if not 0 < flags.port < 65536:
        raise FlagError(f"--port must be between 1 and 65535, got {flags.port}. gRPC cannot be turned off.")
    if not 0 <= flags.rest_api_port < 65536:
        raise FlagError(f"--rest_api_port must be between 0 and 65535, got {flags.rest_api_port}.")
    if not flags.model_config_file and not flags.model_base_path:
        raise FlagError(
            "Both server_options.model_base_path and server_options.model_config_file are empty! "
            "Pass --model_config_file=FILE (an empty file starts without models) or --model_base_path=DIR."
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        add_help=False, allow_abbrev=False, argument_default=argparse.SUPPRESS, exit_on_error=False
    )
    for field in dataclasses.fields(Flags):
        name = f"--{field.name}"
        if isinstance(field.default, bool):
            parser.add_argument(name, nargs="?", const=True, type=_boolean)
        elif isinstance(field.default, int):
            parser.add_argument(name, type=_whole_number)
        else:
            parser.add_argument(name)
    return parser


def _whole_number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a whole number, got {text!r}") from None


def _boolean(text: str) -> bool:
    if text.lower() not in _TRUE | _FALSE:
        raise argparse.ArgumentTypeError(f"must be true or false, got {text!r}")
    return text.lower() in _TRUE


def report(error: FlagError) -> None:
    """Tells the person at the terminal what is wrong, with the list of flags."""
    sys.stderr.write(f"{error}\nusage: python -m serving.server [--name=value ...]\n{usage()}\n")
