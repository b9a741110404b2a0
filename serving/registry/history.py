"""What has happened to a version, and who did it: tags of a model version, and what follows from them. Pure."""

import datetime
from collections.abc import Mapping

PROMOTED_AT = "slipway.promoted_at"
PROMOTED_BY = "slipway.promoted_by"
ROLLED_BACK_AT = "slipway.rolled_back_at"
ROLLED_BACK_BY = "slipway.rolled_back_by"
ROLLED_BACK_TO = "slipway.rolled_back_to"
REJECTED_AT = "slipway.rejected_at"
REJECTED_BY = "slipway.rejected_by"
NOT_SERVED = "slipway.not_served"
NEWEST_SPAN = "slipway.newest_span"  # the date of the newest data that it has learned from

HOLDS = (ROLLED_BACK_AT, ROLLED_BACK_BY, ROLLED_BACK_TO, REJECTED_AT, REJECTED_BY)
ALL = (PROMOTED_AT, PROMOTED_BY, *HOLDS, NOT_SERVED)

UNKNOWN = "somebody"

Tags = Mapping[str, str | None]
"""Tags to set; `None` takes one away."""


def now() -> str:
    """Returns the time in UTC, to the second."""
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


def promoted(by: str) -> Tags:
    """Returns the tags of a version that goes live; nothing holds it back any longer."""
    return {PROMOTED_AT: now(), PROMOTED_BY: by, **dict.fromkeys((*HOLDS, NOT_SERVED))}


def rolled_back(by: str, to: int) -> Tags:
    """Returns the tags of a version that a person took away for the older version `to`."""
    return {ROLLED_BACK_AT: now(), ROLLED_BACK_BY: by or UNKNOWN, ROLLED_BACK_TO: str(to)}


def rejected(by: str, at: str) -> Tags:
    """Returns the tags of a version whose promotion a person rejected."""
    return {REJECTED_AT: at, REJECTED_BY: by or UNKNOWN}


def not_served(reason: str) -> Tags:
    """Returns the tag of a version that could not be served."""
    return {NOT_SERVED: f"{now()}: {reason}"[:4000]}


def held(tags: Mapping[str, str], model: str, version: int) -> str:
    """Returns why a version is not promoted by itself; empty where nothing holds it back."""
    if at := tags.get(ROLLED_BACK_AT):
        did = f"was rolled back to version {tags.get(ROLLED_BACK_TO)} by {tags.get(ROLLED_BACK_BY)} at {at}"
    elif at := tags.get(REJECTED_AT):
        did = f"was rejected by {tags.get(REJECTED_BY)} at {at}"
    else:
        return ""
    return (
        f"{model} version {version} {did}, and is not promoted again by itself; "
        f"`slipway promote {model} {version}` makes it live"
    )
