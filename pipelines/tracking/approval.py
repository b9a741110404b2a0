"""What a person reads who is asked to approve a promotion, and what the person answered."""

from collections.abc import Iterator, Mapping
from typing import Any

from components import plugins
from components.families.interface import Requests
from contract.addresses import mlflow_page, rest_url
from contract.run_folder import RUN, RunFolder
from pipelines.definition import config as configuration
from pipelines.definition.config import PipelineConfig
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
            f"[The version in MLflow]({mlflow_page(prepared['tracking_uri'])}/#/models/{model}/versions/{version})",
            "",
            *_requests(model, configuration.parse(prepared["config"], RUN)),
        ]
    )


def _why(prepared: Mapping[str, Any]) -> Iterator[str]:
    if reason := prepared["promotion"]["reason"]:
        yield f"**A person is asked because** {reason}."
        yield ""


def _requests(model: str, config: PipelineConfig) -> Iterator[str]:
    family = plugins.load(config.family_module("requests"), Requests)
    yield "Ask it, behind the label `canary`:"
    yield ""
    yield "```"
    yield from family.how_to_ask(model, "canary", rest_url(), config.record)
    yield "```"
