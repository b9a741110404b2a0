"""Data that drifted, as `validate` leaves it for a person who may accept it. Standard library and NumPy.

<folder>/drift.json                 digest of the data, and each drift in a sentence
<folder>/statistics/                its ExampleStatistics
<folder>/facts/                     its FactDistributions
"""

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

FOLDER = "drifted"  # below the folder that a node keeps between two attempts
DRIFT = "drift.json"
STATISTICS = "statistics"
FACTS = "facts"


@dataclass(frozen=True)
class Drifted:
    """What had drifted.

    Attributes:
        data_digest: Of the data.
        drift: A sentence for each comparison that failed.
    """

    data_digest: str
    drift: Sequence[str]


def forget(work_dir: Path) -> None:
    """Removes what an earlier attempt left."""
    shutil.rmtree(work_dir / FOLDER, ignore_errors=True)


def leave(work_dir: Path, found: Drifted, *, statistics_dir: str, facts_dir: str) -> None:
    """Leaves the data's statistics and facts, whole or not at all."""
    draft = work_dir / f".{FOLDER}"
    shutil.rmtree(draft, ignore_errors=True)
    shutil.copytree(statistics_dir, draft / STATISTICS)
    shutil.copytree(facts_dir, draft / FACTS)
    (draft / DRIFT).write_text(json.dumps(asdict(found), indent=2) + "\n")
    forget(work_dir)
    draft.rename(work_dir / FOLDER)


def read(folder: Path) -> Drifted | None:
    """Returns what had drifted; `None` where nothing was left."""
    path = folder / DRIFT
    return Drifted(**json.loads(path.read_text())) if path.is_file() else None
