"""What a release is about to change, and how it was before: kept on disk until the release has ended.

Whoever finds one knows that a release was interrupted, and has all it takes to put everything back.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from contract import files
from serving.errors import ReleaseError
from serving.registry.version import Roles
from serving.release.models_config import ServedModel

FILE = ".release.json"


@dataclass(frozen=True)
class Journal:
    """One release of one model.

    Attributes:
        version: What is to be live.
        by: Who wants it.
        by_itself: Whether a run promotes it, and no person.
        roles: As they were found.
        replaced: The version that was live; `None` where there was none, or it was the same.
        served: As it was found in the model server's configuration.
        on_disk: Versions whose directories were there.
        tags: Tags of the versions that the release changes, as they were found; `None` where there was none.
        undoing: Whether the release has failed and is being put back.
    """

    version: int
    by: str
    by_itself: bool
    roles: Roles
    replaced: int | None
    served: ServedModel
    on_disk: frozenset[int]
    tags: Mapping[int, Mapping[str, str | None]]
    undoing: bool = False

    def write(self, folder: Path) -> None:
        """Writes it into the folder of the model, whole or not at all."""
        content = asdict(self) | {
            "served": {"versions": sorted(self.served.versions), "labels": dict(self.served.labels)},
            "on_disk": sorted(self.on_disk),
        }
        files.write(folder / FILE, json.dumps(content, indent=2), durable=True)

    def begin_undoing(self, folder: Path) -> None:
        """Notes that there is no way forward any more."""
        replace(self, undoing=True).write(folder)


def read(folder: Path) -> Journal | None:
    """Returns the journal of an interrupted release; `None` where none was interrupted.

    Raises:
        ReleaseError: If it cannot be read.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        return _parsed(json.loads(path.read_text()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ReleaseError(
            f"Expected the journal of an interrupted release in {path}, got what is none: {error!r}. Move it away, "
            "and `slipway reconcile` brings the model in line with the registry."
        ) from error


def _parsed(content: dict[str, Any]) -> Journal:
    served = content.pop("served")
    return Journal(
        **content
        | {
            "roles": Roles(**content["roles"]),
            "served": ServedModel(frozenset(served["versions"]), served["labels"]),
            "on_disk": frozenset(content["on_disk"]),
            "tags": {int(version): tags for version, tags in content["tags"].items()},
        }
    )


def remove(folder: Path) -> None:
    """The release has ended, or is put back."""
    (folder / FILE).unlink(missing_ok=True)
