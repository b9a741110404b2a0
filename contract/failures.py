"""Turns an exception into what a person reads and what Airflow does: a message and an exit code."""

from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType
from typing import NoReturn

from contract import exit_codes
from contract.errors import SlipwayError


class Cancelled(BaseException):
    """Somebody asked this process to stop."""


def cancel(number: int, frame: FrameType | None) -> NoReturn:
    """Handles a signal: whoever puts things back gets to do it."""
    raise Cancelled


@dataclass(frozen=True)
class Failure:
    """What a person reads, the exit code, and whether the message says everything (no traceback needed)."""

    message: str
    exit_code: int
    explained: bool


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yields an exception and what caused it."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def _is_lost_connection(error: BaseException) -> bool:
    # Recognised by name: requests and urllib3 stay unimported where nothing has used them.
    return type(error).__name__ in (
        "ConnectionError",
        "MaxRetryError",
        "NewConnectionError",
        "ConnectTimeout",
    )


def explain(error: BaseException, tracking_uri: str) -> Failure:
    """Says what went wrong.

    Args:
        error: What was raised.
        tracking_uri: Of the MLflow server, named when it does not answer.
    """
    for cause in _chain(error):
        if isinstance(cause, SlipwayError):
            return Failure(str(cause), cause.exit_code, explained=True)
    for cause in _chain(error):
        if _is_lost_connection(cause):
            return Failure(
                f"Expected MLflow at {tracking_uri}, and it does not answer ({cause}). "
                "Start it with `make up`, or set MLFLOW_TRACKING_URI; then try again.",
                exit_codes.TEMPORARY,
                explained=True,
            )
    if isinstance(error, Cancelled):
        return Failure("Cancelled: the process was asked to stop.", exit_codes.CANCELLED, explained=True)
    return Failure(f"{type(error).__name__}: {error}", exit_codes.UNKNOWN, explained=False)
