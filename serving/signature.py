"""What a SavedModel takes and gives: read from its files, without loading it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from serving import tensors
from serving.apis import saved_model_pb2
from serving.release import smoke

DEFAULT = "serving_default"


@dataclass(frozen=True)
class Tensor:
    """An input or output: its name, its dtype (`str` for strings), and its shape, -1 where any size will do."""

    name: str
    dtype: np.dtype
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Signature:
    """The signature `serving_default`, and the inputs of one recorded request to it; `None` where there is none."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    example: Mapping[str, np.ndarray] | None


def of(saved_model: Path) -> Signature | None:
    """Returns the signature of a SavedModel's folder; `None` where it has none."""
    signatures = _signatures(saved_model / "saved_model.pb")
    if DEFAULT not in signatures:
        return None
    found = signatures[DEFAULT]
    return Signature(_tensors(found.inputs), _tensors(found.outputs), _example(saved_model))


def _signatures(path: Path) -> Any:
    try:
        graphs = saved_model_pb2.SavedModel.FromString(path.read_bytes()).meta_graphs
    except (OSError, DecodeError):
        return {}  # whether it can be served is found out elsewhere
    return graphs[0].signature_def if graphs else {}


def _tensors(infos: Any) -> tuple[Tensor, ...]:
    return tuple(
        Tensor(
            name,
            tensors.dtype_of(info.dtype),
            tuple(int(dimension.size) for dimension in info.tensor_shape.dim),
        )
        for name, info in sorted(infos.items())
    )


def _example(saved_model: Path) -> dict[str, np.ndarray] | None:
    for request in smoke.recorded_requests(saved_model):
        if request.model_spec.signature_name == DEFAULT:
            return {name: tensors.to_array(value)[:1] for name, value in request.inputs.items()}
    return None
