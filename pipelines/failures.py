"""Turns an exception into what a person reads and what Airflow does: a message and an exit code.

Exit codes are sysexits.h's where one fits; 99 is Airflow's own for "skip".
"""

from collections.abc import Iterator
from dataclasses import dataclass

from components.errors import DataError, SettingsError, SlipwayError, UnavailableError
from serving.errors import AliasPutBackError, RegistryError, ReleaseError, ServerUnavailableError

REFUSED = 99
BAD_DATA = 65
TEMPORARY = 75
BAD_SETTINGS = 78
UNKNOWN = 1
CANCELLED = 143  # 128 + SIGTERM

EXIT_CODES: tuple[tuple[type[BaseException], int], ...] = (
    (SettingsError, BAD_SETTINGS),
    (RegistryError, BAD_SETTINGS),
    (DataError, BAD_DATA),
    (UnavailableError, TEMPORARY),
    (ServerUnavailableError, TEMPORARY),
    (AliasPutBackError, BAD_SETTINGS),
    (ReleaseError, UNKNOWN),
    (SlipwayError, UNKNOWN),
)


class Cancelled(BaseException):
    """Somebody asked this process to stop."""


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
        for kind, code in EXIT_CODES:
            if isinstance(cause, kind):
                return Failure(str(cause), code, explained=True)
    for cause in _chain(error):
        if _is_lost_connection(cause):
            return Failure(
                f"Expected MLflow at {tracking_uri}, and it does not answer ({cause}). "
                "Start it with `make up`, or set MLFLOW_TRACKING_URI; then try again.",
                TEMPORARY,
                explained=True,
            )
    if isinstance(error, Cancelled):
        return Failure("Cancelled: the process was asked to stop.", CANCELLED, explained=True)
    return Failure(f"{type(error).__name__}: {error}", UNKNOWN, explained=False)
