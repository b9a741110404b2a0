"""Which model, version and signature a request means, whatever protocol it came by."""

from dataclasses import dataclass

DEFAULT_SIGNATURE = "serving_default"


@dataclass(frozen=True)
class ModelRef:
    """A model by name, narrowed by version number or by label; neither means the latest."""

    name: str
    version: int | None = None
    label: str | None = None
    signature_name: str = DEFAULT_SIGNATURE
