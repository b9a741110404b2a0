"""What the exit codes of the ML side mean to Airflow: succeeded, skipped, failed, or worth another try."""

import signal

from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from contract.exit_codes import BAD_DATA, BAD_SETTINGS, REFUSED, SUCCEEDED

HINTS = {
    BAD_DATA: "The data must change: trying again cannot help.",
    BAD_SETTINGS: "The configuration must change: trying again cannot help.",
    -signal.SIGKILL: "Often the machine had no memory left.",
    -signal.SIGTERM: "Somebody or something stopped it.",
}


def raise_unless_succeeded(code: int, *, what: str, reason: str) -> None:
    """Turns an exit code into the exception that makes Airflow do the right thing.

    Args:
        code: The exit code; negative for the signal that ended the process.
        what: What was run, as the start of a sentence.
        reason: What it said about its end.

    Raises:
        AirflowSkipException: If a gate refused; the task and what follows are skipped.
        AirflowFailException: If the data or the configuration are at fault; no retry.
        AirflowException: For anything else; retried as often as the manifest says.
    """
    if code == SUCCEEDED:
        return
    if code == REFUSED:
        raise AirflowSkipException(f"{what} refused: {reason}")
    message = " ".join(filter(None, [f"{what} {describe(code)}: {reason}", HINTS.get(code)]))
    if code in (BAD_DATA, BAD_SETTINGS):
        raise AirflowFailException(message)
    raise AirflowException(message)


def describe(code: int) -> str:
    """Says in words how a process ended."""
    if code >= 0:
        return f"failed with exit code {code}"
    try:
        return f"was ended by signal {-code} ({signal.Signals(-code).name})"
    except ValueError:
        return f"was ended by signal {-code}"
