"""The folder of one pipeline run: what Airflow tells the ML side, and what each node answers.

Reads and writes JSON files; knows nothing of Airflow.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dags import environment

# Airflow's default for what a person may enter, for the whole of the id: `$` would let a final newline pass.
RUN_ID = re.compile(r"[A-Za-z0-9_.~:+-]{1,250}")
RESULT_FIELDS = ("state", "reason", "mlflow_run_url", "cached", "cached_from", "seconds")


@dataclass(frozen=True)
class RunFolder:
    """`$SLIPWAY_HOME/pipelines/<pipeline>/runs/<run_id>`."""

    path: Path

    @classmethod
    def of(cls, pipeline: str, run_id: str) -> "RunFolder":
        """Finds the folder of a run.

        Raises:
            ValueError: If the run id is one that the ML side would refuse.
        """
        if not RUN_ID.fullmatch(run_id) or run_id in {".", ".."}:
            raise ValueError(
                "A run id is the name of the run's folder: expected letters, digits and _.~:+- (at most 250), "
                f"got {run_id!r}. Trigger a run with another id, or leave it to Airflow."
            )
        return cls(environment.home() / "pipelines" / pipeline / "runs" / run_id)

    def result_file(self, node: str) -> Path:
        """Where a node leaves its result."""
        return self.path / "nodes" / f"{node}.json"

    def record(self, node: str) -> dict[str, Any]:
        """Everything a node left; empty if it left nothing that can be read."""
        return self.read(f"nodes/{node}.json")

    def read(self, name: str) -> dict[str, Any]:
        """A JSON object in the folder; empty if there is none that can be read."""
        try:
            found = json.loads((self.path / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def result(self, node: str) -> dict[str, Any]:
        """The fields of a node's result that every node has: small enough for an XCom."""
        return {name: value for name, value in self.record(node).items() if name in RESULT_FIELDS}

    def forget(self, node: str) -> None:
        """Removes the result of an earlier attempt, so that it cannot be taken for this one's."""
        self.result_file(node).unlink(missing_ok=True)

    def write(self, name: str, content: Mapping[str, Any]) -> None:
        """Writes a JSON file under a temporary name, then renames it: readers see all of it or none."""
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f".{target.name}.{os.getpid()}")
        draft.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        draft.replace(target)
