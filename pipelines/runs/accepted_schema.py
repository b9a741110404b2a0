"""Which schema a pipeline's data is held to: the one curated in the repository, else the one accepted last.

    pipelines/schemas/<pipeline>.pbtxt      curated: it changes under review
    <pipeline_dir>/schemas/<sha256>.pbtxt   by content, so that a path in a cache key names one schema for ever
    <pipeline_dir>/schemas/accepted.json    which of them is accepted, from which run, when, by whom

Reads and writes text; knows nothing of TensorFlow.
"""

import datetime
import hashlib
import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from contract import files
from contract.errors import SettingsError

CURATED_DIR = Path(__file__).parents[1] / "schemas"
ACCEPTED = "accepted.json"
FIRST_RUN = "the first run"


@dataclass(frozen=True)
class Accepted:
    """Who accepted what.

    Attributes:
        sha256: Of the schema's text.
        run_id: The run whose data it was inferred from.
        data_digest: Of that data.
        at: When it was accepted, ISO 8601 in UTC.
        by: A person's login, or `FIRST_RUN`: what that run proposed, once its data was validated.
    """

    sha256: str
    run_id: str
    data_digest: str
    at: str
    by: str


def curated(pipeline: str) -> Path | None:
    """Returns the schema that the repository has for a pipeline; `None` where it has none."""
    path = CURATED_DIR / f"{pipeline}.pbtxt"
    return path if path.is_file() else None


def accepted(pipeline_dir: Path) -> Accepted | None:
    """Returns what was accepted last; `None` before the first run whose data was validated."""
    path = pipeline_dir / "schemas" / ACCEPTED
    return Accepted(**json.loads(path.read_text())) if path.is_file() else None


def path_of(pipeline: str, pipeline_dir: Path, found: Accepted) -> Path:
    """Returns the file of an accepted schema.

    Raises:
        SettingsError: If it is missing or was altered.
    """
    path = _by_content(pipeline_dir, found.sha256)
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != found.sha256:
        raise SettingsError(
            f"Expected the schema of {pipeline} that {found.by} accepted from run {found.run_id} in {path}, and it "
            f"is missing or was altered. Accept one anew: `slipway schema accept {pipeline} RUN`."
        )
    return path


def keep(pipeline_dir: Path, text: str) -> Path:
    """Stores a schema by its content and returns its file."""
    path = _by_content(pipeline_dir, hashlib.sha256(text.encode()).hexdigest())
    files.write(path, text)
    return path


def accept(pipeline_dir: Path, text: str, *, run_id: str, data_digest: str, by: str) -> Accepted:
    """Accepts a schema and returns the record of it. By `FIRST_RUN`, nothing happens where one is accepted already.

    Args:
        pipeline_dir: State of the pipeline.
        text: The schema.
        run_id: The run whose data it was inferred from.
        data_digest: Of that data.
        by: Who accepts.
    """
    sha256 = keep(pipeline_dir, text).stem
    at = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    made = Accepted(sha256, run_id, data_digest, at, by)
    path = pipeline_dir / "schemas" / ACCEPTED
    record = json.dumps(asdict(made), indent=2) + "\n"
    if by == FIRST_RUN:
        with suppress(FileExistsError):
            files.write_once(path, record)  # of two first runs at once, one is first
    else:
        files.write(path, record)
    return made


def _by_content(pipeline_dir: Path, sha256: str) -> Path:
    return pipeline_dir / "schemas" / f"{sha256}.pbtxt"
