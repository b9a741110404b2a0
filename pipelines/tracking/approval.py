"""What a person reads who is asked to approve a promotion, and what the person answered."""

from collections.abc import Iterator, Mapping
from typing import Any

from contract.addresses import rest_url
from contract.run_folder import RUN, RunFolder
from pipelines.definition.nodes import APPROVE, REGISTER
from pipelines.tracking import model_card

APPROVED = "approved"
REJECTED = "rejected"


def decision(folder: RunFolder) -> Mapping[str, str]:
    """Returns what was answered: `answer`, `by` and `at`; empty where nobody was asked, or nobody has answered yet."""
    result = folder.results().get(APPROVE)
    return (result.decision or {}) if result else {}


def is_missing(folder: RunFolder) -> bool:
    """Returns whether a person has to approve the run's promotion, and has not."""
    if folder.require(RUN)["promotion"]["mode"] == "auto":
        return False
    registered = folder.results().get(REGISTER)
    if registered and registered.already_live:
        return False
    return decision(folder).get("answer") != APPROVED


def body(folder: RunFolder, registered: Mapping[str, float], champion: Mapping[str, float]) -> str:
    """Returns Markdown: why a person is asked, the version in question, its figures, and how to try it.

    Args:
        folder: Of the run.
        registered: Metrics of `register`, with `version`.
        champion: What was measured of the live version.
    """
    prepared = folder.require(RUN)
    model, version = folder.pipeline, int(registered["version"])
    return "\n".join(
        [
            *_why(prepared),
            f"**{model} version {version}** is registered as challenger. {model_card.opponent(prepared)}",
            "",
            *model_card.figures(folder, champion),
            f"[The version in MLflow]({prepared['tracking_uri']}/#/models/{model}/versions/{version})",
            "",
            *_requests(model, rest_url()),
        ]
    )


def _why(prepared: Mapping[str, Any]) -> Iterator[str]:
    if reason := prepared["promotion"]["reason"]:
        yield f"**A person is asked because** {reason}."
        yield ""


def _requests(model: str, rest_url: str) -> Iterator[str]:
    yield "Ask it, behind the label `canary`:"
    yield ""
    yield "```"
    yield f"slipway predict {model} FILE --label canary"
    yield ""
    yield f"curl -s {rest_url}/v1/models/{model}/labels/canary:predict \\"
    yield (
        '  -d "{\\"signature_name\\": \\"encoded\\", \\"instances\\": '
        '[{\\"b64\\": \\"$(base64 -w0 FILE)\\"}]}"'
    )
    yield "```"
