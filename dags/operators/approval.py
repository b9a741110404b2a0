"""Asks a person whether a model may be promoted."""

from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk.exceptions import AirflowSkipException

from dags.run_folder import RunFolder

NO_METRICS = "The run left no table of metrics. The MLflow run of the task `register` has them."


class PromotionApproval(ApprovalOperator):
    """Waits for Approve or Reject, without a worker; skipped where promotion is automatic.

    No answer within `response_timeout` counts as Reject.

    Args:
        pipeline: The pipeline whose model is to be promoted.
        evidence: The node whose result carries the Markdown that the person reads, as `approval_body`.
    """

    def __init__(self, *, pipeline: str, evidence: str, **kwargs: Any) -> None:
        super().__init__(
            subject=f"Promote {pipeline}: run {{{{ run_id }}}}",
            body=NO_METRICS,
            defaults=self.REJECT,
            **kwargs,
        )
        self.pipeline = pipeline
        self.evidence = evidence

    def execute(self, context: Any) -> Any:
        """Asks, or is skipped."""
        if context["params"].get("promotion") == "auto":
            raise AirflowSkipException("promotion is automatic in this run: nobody is asked")
        record = RunFolder.of(self.pipeline, context["run_id"]).record(self.evidence)
        self.body = record.get("approval_body") or NO_METRICS
        return super().execute(context)

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        """Notes the decision, then lets Airflow go on or skip what follows."""
        if "error" not in event:
            self._note(context, event)
        return super().execute_complete(context, event)

    def _note(self, context: Any, event: dict[str, Any]) -> None:
        chosen, user = event["chosen_options"], event.get("responded_by_user")
        by = user["name"] if user else "nobody in time"
        approved = chosen == [self.APPROVE]
        at = event["responded_at"].isoformat()
        self.log.info("Promotion of %s: %s, by %s, at %s", self.pipeline, " ".join(chosen), by, at)
        # A rejection ends in an exception, which Airflow answers without storing a return value.
        context["ti"].xcom_push("decision", {"approved": approved, "by": by, "at": at})
        RunFolder.of(self.pipeline, context["run_id"]).write(
            f"nodes/{self.task_id}.json",
            {
                "state": "succeeded" if approved else "refused",
                "reason": f"{'approved' if approved else 'rejected'} by {by} at {at}",
            },
        )
