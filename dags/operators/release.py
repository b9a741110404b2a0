"""Changes what is live, and makes the model server follow."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from airflow.sdk.exceptions import AirflowFailException

from contract import programs
from contract.programs import PROMOTE, RECONCILE, ReleaseRequest
from dags.operators.exit_codes import raise_unless_succeeded
from dags.operators.module import ModuleOperator


class ReleaseOperator(ModuleOperator):
    """Does what the trigger form says, or reconciles the models whose alias was moved in MLflow."""

    _last_line = ""

    def execute(self, context: Any) -> dict[str, Any]:
        """Runs the release; what is served afterwards becomes the XCom."""
        arguments = self._request(context).arguments()
        code = self.run_module(programs.RELEASE, arguments, log=self._remember)
        raise_unless_succeeded(code, what=" ".join(["release", *arguments]), reason=self._last_line)
        return self._served()

    def _request(self, context: Any) -> ReleaseRequest:
        run = context["dag_run"]
        if run.run_type == "asset_triggered":
            return follow_request(event.extra for event in self._events(context))
        return form_request(context["params"], by=run.triggering_user_name or "")

    def _events(self, context: Any) -> list[Any]:
        """The events that started the run, and those that came since.

        An event that comes between the first one and the start of the run is not among those that Airflow
        hands to the run, nor does it start another.
        """
        consumed = [event for of_one in context["triggering_asset_events"].values() for event in of_one]
        if not consumed:
            return []
        since = min(event.timestamp for event in consumed).isoformat()
        later = [event for inlet in self.inlets for event in context["inlet_events"][inlet].after(since)]
        return [*consumed, *later]

    def _remember(self, line: str) -> None:
        self.log_line(line)
        self._last_line = line or self._last_line

    def _served(self) -> dict[str, Any]:
        try:
            served = json.loads(self._last_line)
        except ValueError:
            served = None
        if not isinstance(served, dict):
            self.log.warning("The last line should be a JSON object that says what is served.")
            return {"last_line": self._last_line}
        return served


def follow_request(extras: Iterable[Mapping[str, Any]]) -> ReleaseRequest:
    """Turns what the trigger said of moved aliases into a request.

    Args:
        extras: Of the asset events that started the run. One that names no model, such as an event that a
            person created in Airflow, asks for all models.
    """
    payloads = [extra.get("payload") for extra in extras]
    models = {payload.get("model") if isinstance(payload, dict) else None for payload in payloads}
    named = () if None in models else tuple(sorted(map(str, models)))
    return ReleaseRequest(RECONCILE, named, by="MLflow")


def form_request(params: Mapping[str, Any], *, by: str) -> ReleaseRequest:
    """Turns the trigger form into a request.

    Args:
        params: Values of the form.
        by: Who triggered the run; empty where Airflow does not know.

    Raises:
        AirflowFailException: If the action needs a model or a version, and none is named.
    """
    action, model, version = params["action"], params["model"], params["version"]
    if action != RECONCILE and not model:
        raise AirflowFailException(
            f"To {action}, say which model: set the field `model`, and trigger the DAG again."
        )
    if action == PROMOTE and version is None:
        raise AirflowFailException(
            "To promote, say which version: set the field `version` to a number from the model's page in "
            "MLflow or from `slipway models`, and trigger the DAG again."
        )
    return ReleaseRequest(action, (model,) if model else (), version if action == PROMOTE else None, by)
