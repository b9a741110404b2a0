"""Samples of the requests and answers of a model, as TFRecords of PredictionLog.

A warm-up file is made of the same records (https://www.tensorflow.org/tfx/serving/saved_model_warmup). What cannot be
written is said once for each reason, and no request fails of it.
"""

import datetime
import logging
import os
import random
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
import tensorflow as tf
from google.protobuf.message import Message
from tensorflow_serving.apis import prediction_log_pb2

from serving.server import encoding
from serving.server.errors import Code
from serving.server.lifecycle.model_settings import RequestLogging
from serving.server.model_ref import ModelRef, fill_spec
from serving.server.monitoring import metrics

_FRAME_BYTES = 16  # of a record in a file: its length, and a checksum of each

_log = logging.getLogger(__name__)


class _File:
    """One file of records."""

    def __init__(self, prefix: str) -> None:
        Path(prefix).parent.mkdir(parents=True, exist_ok=True)
        # To the microsecond: what takes the place of a file that was given up is another one.
        began = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%S%f")
        self._path = Path(f"{prefix}-{began}-{os.getpid()}.tfrecord")
        self._writer = tf.io.TFRecordWriter(str(self._path))
        self._whole = 0

    def write(self, record: bytes) -> None:
        self._writer.write(record)
        self._writer.flush()  # a server that is killed leaves whole records
        self._whole += _FRAME_BYTES + len(record)

    def give_up(self) -> None:
        """Closes it, and cuts off what is no whole record: whoever reads it would stop there with an error."""
        with suppress(tf.errors.OpError):
            self._writer.close()
        with suppress(OSError):
            if self._whole:
                os.truncate(self._path, self._whole)
            else:
                self._path.unlink()


class RequestLog:
    """The open files, one for each prefix of a file name."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._files: dict[str, _File] = {}
        self._complaints: set[tuple[str, str, Code]] = set()

    def wants(self, settings: RequestLogging | None) -> bool:
        """Says whether the request at hand belongs to the sample."""
        return settings is not None and random.random() < settings.sampling_rate  # noqa: S311  no secret

    def write(self, name: str, settings: RequestLogging, entry: prediction_log_pb2.PredictionLog) -> None:
        """Appends one record. After one that could not be written, the next one begins another file.

        Args:
            name: Of the model.
            settings: Where to.
            entry: Request and answer.
        """
        metadata = entry.log_metadata
        metadata.model_spec.name = name
        metadata.sampling_config.sampling_rate = settings.sampling_rate
        metadata.timestamp_secs = int(datetime.datetime.now(datetime.timezone.utc).timestamp())
        prefix, status = settings.filename_prefix, Code.OK
        try:
            with self._turn:
                self._append(prefix, entry.SerializeToString())
        except (tf.errors.OpError, OSError, ValueError) as error:
            status = Code(error.error_code) if isinstance(error, tf.errors.OpError) else Code.UNKNOWN
            if (complaint := (name, prefix, status)) not in self._complaints:
                self._complaints.add(complaint)
                _log.error("Requests of %s are not logged to %s: %s", name, prefix, error)
        metrics.LOGGED_REQUESTS.add(name, status.name)

    def _append(self, prefix: str, record: bytes) -> None:
        if prefix not in self._files:
            self._files[prefix] = _File(prefix)
        try:
            self._files[prefix].write(record)
        except (tf.errors.OpError, OSError):
            self._files.pop(prefix).give_up()
            raise


def entry_of(
    ref: ModelRef, version: int, inputs: Mapping[str, np.ndarray], outputs: Mapping[str, np.ndarray]
) -> prediction_log_pb2.PredictionLog:
    """Returns the record of a prediction that came and went without messages."""
    entry = prediction_log_pb2.PredictionLog()
    log = entry.predict_log
    fill_spec(log.request.model_spec, ref, version)
    fill_spec(log.response.model_spec, ref, version)
    for arrays, protos in ((inputs, log.request.inputs), (outputs, log.response.outputs)):
        for alias, array in arrays.items():
            protos[alias].ParseFromString(encoding.tensor(array))
    return entry


def entry_of_messages(kind: str, request: Message, response: Message) -> prediction_log_pb2.PredictionLog:
    """Returns the record of a request that came and went as messages; `kind` is the record's field for both."""
    entry = prediction_log_pb2.PredictionLog()
    getattr(entry, kind).request.CopyFrom(request)
    getattr(entry, kind).response.CopyFrom(response)
    return entry
