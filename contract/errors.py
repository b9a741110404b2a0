"""What can go wrong, in words for the person who must fix it, each with the exit code that it ends a program with."""

from typing import ClassVar

from contract import exit_codes

SHOWN_FAILURES = 10  # a message stays readable whatever the size of the data


class SlipwayError(Exception):
    """Base of every error that Slipway raises on purpose; its text is the whole message a person sees.

    Attributes:
        exit_code: Of a program that ends with this error.
    """

    exit_code: ClassVar[int] = exit_codes.UNKNOWN


class SettingsError(SlipwayError, ValueError):
    """A setting is unknown, malformed or out of range. Running again without a change cannot help."""

    exit_code = exit_codes.BAD_SETTINGS


class DataError(SlipwayError):
    """The data cannot be used. Running again without a change cannot help."""

    exit_code = exit_codes.BAD_DATA


class DataContractError(DataError):
    """The data breaks expectations; `failures` names each one.

    Args:
        dataset: What was checked, as a person would call it.
        failures: One sentence for each broken expectation.
        remedy: What to do about it.
    """

    def __init__(self, dataset: str, failures: list[str], remedy: str) -> None:
        self.dataset, self.failures = dataset, failures
        shown = "\n".join(f"  - {failure}" for failure in failures[:SHOWN_FAILURES])
        more = f"\n  ... and {len(failures) - SHOWN_FAILURES} more" if len(failures) > SHOWN_FAILURES else ""
        super().__init__(f"{len(failures)} expectation(s) failed for {dataset}:\n{shown}{more}\n{remedy}")


class UnavailableError(SlipwayError):
    """A server that the step needs does not answer. Running again may help."""

    exit_code = exit_codes.TEMPORARY
