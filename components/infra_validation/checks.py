"""Real requests to the candidate: are the answers right, and how long do they take."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from components import records
from contract.model_server import WARMUP_FILE
from serving.client import Client
from serving.errors import ReleaseError

SAMPLE = 8  # images in the requests that are compared and recorded


@dataclass(frozen=True)
class Sample:
    """The same few test images as each signature takes them."""

    inputs: dict[str, dict[str, np.ndarray]]

    @classmethod
    def of(cls, examples_dir: str, shape: records.ImageShape) -> "Sample":
        """Takes the first `SAMPLE` examples of the split `test`."""
        found = []
        for example in records.read_split(examples_dir, "test"):
            found.append(example)
            if len(found) == SAMPLE:
                break
        files = [example.features.feature[records.IMAGE].bytes_list.value[0] for example in found]
        serialized = [example.SerializeToString(deterministic=True) for example in found]
        return cls(
            {
                "serving_default": {"image": records.decode_images(tf.constant(files), shape).numpy()},
                "encoded": {"image_bytes": np.array(files, dtype=object)},
                "examples": {"examples": np.array(serialized, dtype=object)},
            }
        )

    def requests(self, model: str) -> Iterator[predict_pb2.PredictRequest]:
        """Yields one request for each signature."""
        for signature, inputs in self.inputs.items():
            request = predict_pb2.PredictRequest()
            request.model_spec.name = model
            request.model_spec.signature_name = signature
            for name, value in inputs.items():
                request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
            yield request


def write_warmup(sample: Sample, model: str, saved_model_dir: Path) -> None:
    """Writes the requests that the server replays after loading, before it calls the version AVAILABLE.

    Format: TFRecords of PredictionLog in `contract.model_server.WARMUP_FILE`
    (https://www.tensorflow.org/tfx/serving/saved_model_warmup).
    """
    path = saved_model_dir / WARMUP_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for request in sample.requests(model):
            log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
            writer.write(log.SerializeToString(deterministic=True))


def answers(sample: Sample, saved_model_dir: Path) -> dict[str, np.ndarray]:
    """Returns what each signature answers when it is called in this process: float32 `[n, classes]`.

    Raises:
        ReleaseError: If the candidate cannot be loaded or called.
    """
    found = {}
    try:
        loaded = tf.saved_model.load(str(saved_model_dir))
        for signature, inputs in sample.inputs.items():
            constants = {name: tf.constant(value) for name, value in inputs.items()}
            found[signature] = loaded.signatures[signature](**constants)["probabilities"].numpy()
    except (OSError, LookupError, TypeError, ValueError, tf.errors.OpError) as error:
        raise ReleaseError(f"TensorFlow cannot load and call it: {error!r}") from error
    return found


def wrong_answers(
    client: Client, model: str, sample: Sample, expected: Mapping[str, np.ndarray], *, tolerance: float
) -> list[str]:
    """Compares every signature's served answers with the expected ones; returns what differs."""
    differences = []
    for signature, inputs in sample.inputs.items():
        served = client.predict(model, inputs, signature=signature).outputs["probabilities"]
        wanted = expected[signature]
        if served.shape != wanted.shape:
            differences.append(f"signature {signature}: expected shape {wanted.shape}, got {served.shape}")
        elif broken := np.count_nonzero(~np.isfinite(served)):
            differences.append(
                f"signature {signature}: {broken} of {served.size} probabilities are no finite numbers"
            )
        elif not (gap := float(np.max(np.abs(served - wanted)))) <= tolerance:
            differences.append(f"signature {signature}: probabilities differ by up to {gap:.2g}")
    return differences


def latencies_ms(client: Client, model: str, sample: Sample, requests: int) -> np.ndarray:
    """Returns the duration of each of `requests` single-image calls, in milliseconds."""
    image = sample.inputs["serving_default"]["image"][:1]
    durations = []
    for _ in range(requests):
        start = time.perf_counter()
        client.predict(model, {"image": image})
        durations.append((time.perf_counter() - start) * 1000)
    return np.array(durations)
