"""What the server is told about one model, free of the message it came in."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from serving.server.lifecycle.versions import Latest, VersionPolicy


@dataclass(frozen=True)
class ModelSettings:
    """One model to serve.

    Attributes:
        base_path: Absolute path of the directory with the numbered versions.
        labels: Version label to version number.
    """

    name: str
    base_path: str
    policy: VersionPolicy = field(default_factory=Latest)
    labels: Mapping[str, int] = field(default_factory=dict)
