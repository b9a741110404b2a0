"""Changes what is live, and makes the model server follow."""

import json
from typing import Any

from airflow.sdk.exceptions import AirflowFailException

from dags.operators.exit_codes import raise_unless_succeeded
from dags.operators.module import ModuleOperator


class ReleaseOperator(ModuleOperator):
    """Promotes a version or rolls back to the one before, as the trigger form says."""

    _last_line = ""

    def execute(self, context: Any) -> dict[str, Any]:
        """Runs the release; what is served afterwards becomes the XCom."""
        arguments = release_arguments(context["params"])
        code = self.run_module("pipelines.release", arguments, say=self._remember)
        raise_unless_succeeded(code, what=" ".join(["release", *arguments]), reason=self._last_line)
        return self._served()

    def _remember(self, line: str) -> None:
        self.say(line)
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


def release_arguments(params: dict[str, Any]) -> list[str]:
    """Turns the trigger form into a command line.

    Raises:
        AirflowFailException: If a promotion names no version.
    """
    action, version = params["action"], params["version"]
    if action == "promote" and version is None:
        raise AirflowFailException(
            "To promote, say which version: set the field `version` to a number from the model's page in "
            "MLflow or from `slipway models`, and trigger the DAG again."
        )
    arguments = ["--model", params["model"], "--action", action]
    return [*arguments, "--version", str(version)] if version is not None else arguments
