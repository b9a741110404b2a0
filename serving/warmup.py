"""The requests that are recorded with a version: the model server replays them after loading it."""

import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

from contract.model_server import WARMUP_FILE
from serving.apis import predict_pb2, prediction_log_pb2


def record(requests: Iterable[predict_pb2.PredictRequest], version_dir: Path) -> None:
    """Writes the requests that the server replays after loading a version, before it calls it AVAILABLE.

    Format: TFRecords of PredictionLog (https://www.tensorflow.org/tfx/serving/saved_model_warmup).

    Args:
        requests: Of Predict, for any signature.
        version_dir: SavedModel.
    """
    import tensorflow as tf  # which who only reads them does without

    path = version_dir / WARMUP_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for request in requests:
            log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
            writer.write(log.SerializeToString(deterministic=True))


def recorded_requests(version_dir: Path) -> list[predict_pb2.PredictRequest]:
    """Returns the prediction requests of a version's warm-up file; empty where it has none."""
    path = version_dir / WARMUP_FILE
    if not path.is_file():
        return []
    logs = [prediction_log_pb2.PredictionLog.FromString(record) for record in _records(path)]
    return [log.predict_log.request for log in logs if log.WhichOneof("log_type") == "predict_log"]


def _records(path: Path) -> Iterator[bytes]:
    """Yields the records of an uncompressed TFRecord file: length, its checksum, the bytes, their checksum.

    The checksums are passed over: the digest of the whole version has been compared with the registry's.
    """
    with path.open("rb") as file:
        while header := file.read(12):
            (length,) = struct.unpack("<Q", header[:8])
            yield file.read(length)
            file.read(4)
