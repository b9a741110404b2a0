"""The folder of one pipeline run: what was asked for, what was resolved, and how each node ended.

request.json    values set on the form or the command line, where the run was started, and which nodes are done:
                they have succeeded in this run and are not going to run again
run.json        everything resolved at the start: configuration, digests, tracking run, and which nodes are outdated:
                they succeeded on data that the run no longer names
pipeline.json   TFX's intermediate representation of this run
nodes/<id>.json how a node ended
outcome.json    state of every task, as the orchestrator saw it
summary.json    what the run came to
work/<id>/      what a node keeps between two attempts
"""

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from contract.errors import SettingsError
from contract.state import StateFolder

RUN_ID = re.compile(r"[A-Za-z0-9_.~:+-]{1,250}")  # Airflow's own pattern, for the whole of it

RUN = "run.json"

SUCCEEDED = "succeeded"
REFUSED = "refused"
FAILED = "failed"


@dataclass(frozen=True)
class NodeResult:
    """How a node ended.

    Attributes:
        state: `succeeded`, `refused` or `failed`.
        reason: Why it was refused or failed; empty otherwise.
        mlflow_run_url: Page of its run.
        cached: Whether an earlier execution's outputs were used.
        cached_from: The run whose execution made them.
        seconds: How long it took.
        metrics: What it measured.
        approval_body: Markdown for the person who is asked to approve; `register` writes it.
        already_live: Whether the version that `register` found is live, so that there is nothing to approve.
        decision: What a person answered: `answer` (`approved`, `rejected` or `expired`), `by` and `at`; `approve`
            writes it.
    """

    state: str
    reason: str = ""
    mlflow_run_url: str = ""
    cached: bool = False
    cached_from: str = ""
    seconds: float = 0.0
    metrics: Mapping[str, float] | None = None
    approval_body: str = ""
    already_live: bool = False
    decision: Mapping[str, str] | None = None


class RunFolder:
    """Reads and writes the folder of one run.

    Args:
        home: Of the stack's state.
        pipeline: Name.
        run_id: Airflow's run id.

    Raises:
        SettingsError: If the run id could not be one of Airflow's.
    """

    def __init__(self, home: Path, pipeline: str, run_id: str) -> None:
        if not RUN_ID.fullmatch(run_id) or run_id in (".", ".."):
            raise SettingsError(
                f"Expected a run id of letters, digits and _.~:+- (at most 250), got {run_id!r}."
            )
        self.pipeline, self.run_id = pipeline, run_id
        self.pipeline_dir = home / "pipelines" / pipeline
        self.path = self.pipeline_dir / "runs" / run_id

    @classmethod
    def here(cls, pipeline: str, run_id: str) -> "RunFolder":
        """Finds the folder under the home that the environment names."""
        return cls(StateFolder.from_environment().home, pipeline, run_id)

    def work_dir(self, node: str) -> Path:
        """Returns the folder that a node keeps between two attempts."""
        folder = self.path / "work" / node
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def clear_work(self, node: str) -> None:
        """Deletes what a node kept between attempts."""
        shutil.rmtree(self.path / "work" / node, ignore_errors=True)

    def write(self, name: str, content: Mapping[str, Any]) -> None:
        """Writes a JSON file under a temporary name and renames it: a reader sees all of it or none."""
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f".{target.name}.{os.getpid()}")
        draft.write_text(json.dumps(content, indent=2) + "\n")
        draft.replace(target)

    def read(self, name: str) -> dict[str, Any]:
        """Returns a JSON file; empty where it does not exist."""
        path = self.path / name
        return json.loads(path.read_text()) if path.is_file() else {}

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Makes sure that a prepared run still has its folder after the work inside.

        Raises:
            SettingsError: If the folder was deleted meanwhile; it is also the reason for any other error then.
        """
        try:
            yield
        except Exception as error:
            try:
                self.require(RUN)
            except SettingsError as deleted:
                raise deleted from error
            raise
        self.require(RUN)

    def require(self, name: str) -> dict[str, Any]:
        """Returns a JSON file.

        Raises:
            SettingsError: If it does not exist.
        """
        if not (self.path / name).is_file():
            raise SettingsError(
                f"Expected {name} in {self.path}, and it is missing: the run was not prepared, or its folder "
                "was deleted. Start a new run, or clear the task `prepare` to prepare this one again."
            )
        return self.read(name)

    def write_result(self, node: str, result: NodeResult) -> None:
        """Keeps how a node ended."""
        self.write(f"nodes/{node}.json", asdict(result))

    def forget_result(self, node: str) -> None:
        """Removes how a node ended, before it is run again."""
        (self.path / "nodes" / f"{node}.json").unlink(missing_ok=True)

    def results(self) -> dict[str, NodeResult]:
        """Returns how each node ended that has ended so far."""
        files = sorted((self.path / "nodes").glob("[!.]*.json"))
        return {path.stem: NodeResult(**json.loads(path.read_text())) for path in files}
