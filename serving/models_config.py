"""The model server's configuration file: which versions of which models, under which labels."""

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

STABLE = "stable"
CANARY = "canary"


@dataclass(frozen=True)
class ServedModel:
    """What the server should offer of one model: version numbers, and label to version."""

    versions: frozenset[int]
    labels: Mapping[str, int] = field(default_factory=dict)


Fleet = Mapping[str, ServedModel]


def to_proto(fleet: Fleet, models_dir: Path) -> model_server_config_pb2.ModelServerConfig:
    """Returns the whole configuration; a reload replaces all models, so it always names every one."""
    config = model_server_config_pb2.ModelServerConfig()
    config.model_config_list.SetInParent()
    for name in sorted(fleet):
        entry = config.model_config_list.config.add(
            name=name, base_path=str(models_dir / name), model_platform="tensorflow"
        )
        entry.model_version_policy.specific.versions.extend(sorted(fleet[name].versions))
        for label in sorted(fleet[name].labels):
            entry.version_labels[label] = fleet[name].labels[label]
    return config


def read(path: Path) -> dict[str, ServedModel]:
    """Returns what the file says; empty where there is no file.

    Raises:
        google.protobuf.text_format.ParseError: If the file is not a model server configuration.
    """
    if not path.is_file():
        return {}
    config = text_format.Parse(path.read_text(), model_server_config_pb2.ModelServerConfig())
    return {
        entry.name: ServedModel(
            frozenset(entry.model_version_policy.specific.versions), dict(entry.version_labels)
        )
        for entry in config.model_config_list.config
    }


def write(fleet: Fleet, path: Path, models_dir: Path) -> None:
    """Writes the whole file under a temporary name and renames it, so that no reader sees half of it."""
    text = text_format.MessageToString(to_proto(fleet, models_dir))
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".models.config-", delete=False) as file:
        file.write(text or "model_config_list {\n}\n")
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).replace(path)
