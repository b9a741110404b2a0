"""Which data a person has accepted although it had drifted: it is what data is compared with from then on.

<pipeline_dir>/accepted_data/<time>/accepted.json   who, when, from which run, and what had drifted
                                    statistics/     the data's ExampleStatistics
                                    facts/          its FactDistributions

A folder never changes: a path in a cache key means one comparison for ever. Knows nothing of TensorFlow.
"""

import datetime
import json
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from components.validation import drifted
from contract.errors import SettingsError
from contract.run_folder import RUN, RunFolder
from pipelines.definition.nodes import VALIDATE
from pipelines.definition.runtime_config import AcceptedData
from serving import digest

FOLDER = "accepted_data"
RECORD = "accepted.json"
TIME = "%Y%m%dT%H%M%S.%fZ"


@dataclass(frozen=True)
class Acceptance:
    """Who accepted what.

    Attributes:
        data_digest: Of the data.
        run_id: The run that found the drift.
        at: When it was accepted, ISO 8601 in UTC.
        by: A person's login.
        drift: What had drifted, a sentence each.
        sha256: By folder, the digest of what is kept in it.
        folder: Where it is kept.
    """

    data_digest: str
    run_id: str
    at: str
    by: str
    drift: Sequence[str]
    sha256: dict[str, str]
    folder: Path

    @property
    def when(self) -> datetime.datetime:
        """When it was accepted."""
        return datetime.datetime.fromisoformat(self.at)


def every(pipeline_dir: Path) -> list[Acceptance]:
    """Returns what was accepted, in order."""
    records = sorted((pipeline_dir / FOLDER).glob(f"[!.]*/{RECORD}"))
    return [Acceptance(**json.loads(path.read_text()), folder=path.parent) for path in records]


def newest(pipeline_dir: Path) -> Acceptance | None:
    """Returns what was accepted last; `None` before a person has accepted anything."""
    found = every(pipeline_dir)
    return found[-1] if found else None


def of(pipeline_dir: Path, data_digest: str) -> Acceptance | None:
    """Returns what was accepted last of some data; `None` where nobody has accepted it."""
    found = [each for each in every(pipeline_dir) if each.data_digest == data_digest]
    return found[-1] if found else None


def checked(pipeline: str, accepted: Acceptance) -> AcceptedData:
    """Returns what data is compared with.

    Raises:
        SettingsError: If it is missing or was altered.
    """
    if accepted.sha256 != _digests(accepted.folder):
        raise SettingsError(
            f"Expected the data of {pipeline} that {accepted.by} accepted from run {accepted.run_id} in "
            f"{accepted.folder}, and it is missing or was altered. Restore it; or delete this folder, and accept the "
            f"data anew: `slipway data accept {pipeline} RUN`."
        )
    return AcceptedData(
        str(accepted.folder / drifted.STATISTICS),
        str(accepted.folder / drifted.FACTS),
        f"{accepted.by}, at {accepted.at}, from run {accepted.run_id}",
    )


def accept(folder: RunFolder, by: str) -> Acceptance:
    """Accepts the data of a run whose validation found drift; repeated, returns the record that there is.

    Args:
        folder: Of the run.
        by: Who accepts.

    Raises:
        SettingsError: If validation found no drift in the data that the run names.
    """
    named = folder.require(RUN)["data_digest"]
    left = folder.work_dir(VALIDATE) / drifted.FOLDER
    found = drifted.read(left)
    known = of(folder.pipeline_dir, named)
    if found is None or found.data_digest != named:
        if known:
            return known  # it has passed since, and what was left of the drift is gone
        raise SettingsError(
            f"Expected a run of {folder.pipeline} whose `{VALIDATE}` has failed because its data had drifted, and run "
            f"{folder.run_id} has found none in the data that it names. There is nothing to accept."
        )
    sha256 = _digests(left)
    if known and known.sha256 == sha256:
        return known
    now = datetime.datetime.now(datetime.timezone.utc)
    made = folder.pipeline_dir / FOLDER / now.strftime(TIME)
    record = {
        **asdict(found),
        "run_id": folder.run_id,
        "at": now.isoformat(),
        "by": by,
        "sha256": sha256,
    }
    draft = made.with_name(f".{made.name}.{secrets.token_hex(8)}")
    try:
        shutil.copytree(left, draft)
        (draft / drifted.DRIFT).unlink()
        (draft / RECORD).write_text(json.dumps(record, indent=2) + "\n")
        draft.rename(made)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Acceptance(**record, folder=made)


def _digests(folder: Path) -> dict[str, str]:
    return {name: digest.of_folder(folder / name) for name in (drifted.STATISTICS, drifted.FACTS)}
