"""Asks a person whether a model may be promoted."""

from datetime import datetime, timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk.exceptions import AirflowSkipException, TaskAwaitingInput
from airflow.sdk.timezone import utcnow

from contract.run_folder import ASKED, REFUSED, RUN, SUCCEEDED, NodeResult, RunFolder
from dags.schedule import next_slot
from dags.triggers.answer import EarlyAnswer

NO_METRICS = "The run left no table of metrics. The MLflow run of the task `register` has them."
MARGIN = timedelta(minutes=5)  # between the end of the question and the next night's run
SHORTEST = timedelta(minutes=1)
TRIES = 3
PAUSE = timedelta(seconds=2)


class PromotionApproval(ApprovalOperator):
    """Waits for Approve or Reject, without a worker; skipped where promotion is automatic.

    No answer in time is neither: what follows is skipped, and the decision says that nobody answered.
    The time ends with `response_timeout`, or shortly before the next night's run, which waits for this one.

    An answer that comes within a second of the question meets a scheduler that has not yet noticed that the
    task waits: it fails the task. So the task is tried again, and then takes the answer that is there.

    Args:
        pipeline: The pipeline whose model is to be promoted.
        evidence: The node whose result carries the Markdown that the person reads, as `approval_body`.
        schedule: When the pipeline runs, a cron expression; None if only by hand.
        timezone: Of the schedule, a name such as Europe/Berlin.
    """

    def __init__(
        self,
        *,
        pipeline: str,
        evidence: str,
        schedule: str | None,
        timezone: str,
        response_timeout: timedelta,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            response_timeout=response_timeout,
            subject=f"Promote {pipeline}: run {{{{ run_id }}}}",
            body=NO_METRICS,
            defaults=self.REJECT,
            **kwargs | {"retries": TRIES - 1, "retry_delay": PAUSE},
        )
        self.pipeline = pipeline
        self.evidence = evidence
        self.limit = response_timeout
        self.slots = (schedule, timezone) if schedule else None

    def execute(self, context: Any) -> Any:
        """Asks, or is skipped, or takes an answer that an earlier try was given."""
        folder = RunFolder.here(self.pipeline, context["run_id"])
        folder.forget_result(self.task_id)
        promotion = folder.read(RUN).get("promotion") or {"mode": context["params"].get("promotion")}
        if promotion.get("mode") == "auto":
            raise AirflowSkipException("promotion is automatic in this run: nobody is asked")
        evidence = folder.result(self.evidence)
        if evidence and evidence.already_live:
            raise AirflowSkipException("the version of this run is live already: there is nothing to approve")
        self.response_timeout = left = self._time_to_answer(utcnow())
        first_try = {"first_try": context["ti"].max_tries - self.retries + 1}  # clearing the task raises it
        if folder.read(ASKED) == first_try:
            self._take_answer(context, left)
        self.body = (evidence and evidence.approval_body) or NO_METRICS
        try:
            return super().execute(context)
        except TaskAwaitingInput:
            folder.write(ASKED, first_try)
            raise

    def _time_to_answer(self, now: datetime) -> timedelta:
        if self.slots is None:
            return self.limit
        left = next_slot(*self.slots, after=now) - MARGIN - now
        # A slot is pendulum's, and so is the difference, which Airflow cannot hand from the task to its supervisor.
        return max(SHORTEST, min(self.limit, timedelta(seconds=left.total_seconds())))

    def _take_answer(self, context: Any, left: timedelta) -> None:
        """Goes on waiting without asking anew, which would erase the answer."""
        self.defer(
            trigger=EarlyAnswer(
                ti_id=context["ti"].id,
                options=self.options,
                defaults=self.defaults,
                params={},
                timeout_datetime=utcnow() + left,
                poke_interval=1,
            ),
            method_name="execute_complete",
        )

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        """Notes the decision, then lets Airflow go on or skip what follows."""
        if "error" not in event:
            self._note(context, event)
        return super().execute_complete(context, event)

    def _note(self, context: Any, event: dict[str, Any]) -> None:
        user, at = event["responded_by_user"], event["responded_at"].isoformat()
        by = user["name"] if user else ""
        if not user:
            answer = "expired"
            reason = f"nobody answered by {at}; the next run may ask again"
        else:
            answer = "approved" if event["chosen_options"] == [self.APPROVE] else "rejected"
            reason = f"{answer} by {by} at {at}"
        self.log.info("Promotion of %s: %s", self.pipeline, reason)
        decision = {"answer": answer, "by": by, "at": at}
        # A rejection ends in an exception, which Airflow answers without storing a return value.
        context["ti"].xcom_push("decision", decision)
        result = NodeResult(SUCCEEDED if answer == "approved" else REFUSED, reason, decision=decision)
        RunFolder.here(self.pipeline, context["run_id"]).write_result(self.task_id, result)
