"""What a run is compared with: the live version, or, where a run repeats the one that made it, what that one was.

Without the exception, a repetition would be judged against its own model, and its evaluation would not be cached.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from components.export import SERVING_DIR
from pipelines.code_digest import Code
from pipelines.config import PipelineConfig
from serving.registry import Registry

# Tags of a registered version.
FINGERPRINT = "slipway.fingerprint"
COMPARED_WITH = "slipway.live_version"
NOTHING = "none"


@dataclass(frozen=True)
class Comparison:
    """What a run is compared with.

    Attributes:
        fingerprint: Of the run.
        live: Version that is live; `None` while nothing is.
        version: Version to compare with; `None` for none.
        model: Folder of its Model artifact.
    """

    fingerprint: str
    live: int | None = None
    version: int | None = None
    model: str | None = None

    def tags(self) -> dict[str, str]:
        """Returns the tags by which a later run recognises that it repeats this one."""
        return {FINGERPRINT: self.fingerprint, COMPARED_WITH: str(self.version or NOTHING)}


def fingerprint(data_digest: str, config: PipelineConfig, code: Mapping[str, Code]) -> str:
    """Returns a digest of everything that decides what a run's model is.

    Args:
        data_digest: Of the data.
        config: Resolved.
        code: What each node runs.
    """
    decisive = {
        "data": data_digest,
        "config": config.model_dump(mode="json"),
        "code": {node: [each.sources, each.libraries] for node, each in code.items()},
    }
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()


def choose(registry: Registry, name: str, fingerprint: str, folder: Path) -> Comparison:
    """Chooses the version to compare with, and fetches it once.

    Args:
        registry: Of the models.
        name: Of the model.
        fingerprint: Of the run.
        folder: Keeps what is fetched.
    """
    live = registry.champion(name)
    if live is None:
        return Comparison(fingerprint)
    tags = registry.version(name, live).tags
    version: int | None = live
    if tags.get(FINGERPRINT) == fingerprint:
        earlier = tags.get(COMPARED_WITH, NOTHING)
        known = {str(found.version): int(found.version) for found in registry.versions(name)}
        version = None if earlier == NOTHING else known.get(earlier, live)
    model = None if version is None else _fetch(registry, name, version, folder)
    return Comparison(fingerprint, live, version, model)


def _fetch(registry: Registry, name: str, version: int, folder: Path) -> str:
    target = folder / "live" / str(version)
    if not target.is_dir():
        draft = folder / "live" / f".{version}.{os.getpid()}"
        draft.mkdir(parents=True)
        registry.download(name, version, draft).rename(draft / SERVING_DIR)
        draft.rename(target)
    return str(target)
