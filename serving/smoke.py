"""Asks a served version real questions: the recorded requests that it was warmed up with."""

from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from serving.client import Client
from serving.errors import ReleaseError

WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"


def recorded_requests(version_dir: Path) -> list[predict_pb2.PredictRequest]:
    """Returns the prediction requests of a version's warm-up file; empty where it has none."""
    path = version_dir / WARMUP_FILE
    if not path.is_file():
        return []
    logs = tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    return [prediction_log_pb2.PredictionLog.FromString(log).predict_log.request for log in logs]


def _ask(client: Client, request: predict_pb2.PredictRequest, expected_version: int) -> None:
    model = request.model_spec.name
    response = client.call(request)
    answered = response.model_spec.version.value
    if answered != expected_version:
        raise ReleaseError(
            f"Expected {model} version {expected_version} to answer, got version {answered} from {client.target}."
        )
    for name, output in response.outputs.items():
        values = tf.make_ndarray(output)
        if values.size == 0 or (np.issubdtype(values.dtype, np.number) and not np.all(np.isfinite(values))):
            raise ReleaseError(
                f"Expected finite numbers from {model} version {expected_version}, output {name}, "
                f"got {values.ravel()[:5].tolist()}."
            )


def check(client: Client, model: str, version: int, models_dir: Path) -> None:
    """Sends one recorded request of each signature to `version`.

    Raises:
        ReleaseError: If another version answers, or an answer is empty or not finite.
    """
    seen: set[str] = set()
    for request in recorded_requests(models_dir / model / str(version)):
        signature = request.model_spec.signature_name
        if signature in seen:
            continue
        seen.add(signature)
        request.model_spec.Clear()
        request.model_spec.name = model
        request.model_spec.signature_name = signature
        request.model_spec.version.value = version
        _ask(client, request, version)


def check_label(client: Client, model: str, label: str, version: int, models_dir: Path) -> None:
    """Sends one recorded request to `label` and expects `version` to answer.

    Raises:
        ReleaseError: If another version answers.
    """
    for request in recorded_requests(models_dir / model / str(version))[:1]:
        signature = request.model_spec.signature_name
        request.model_spec.Clear()
        request.model_spec.name = model
        request.model_spec.signature_name = signature
        request.model_spec.version_label = label
        _ask(client, request, version)
