"""A loaded SavedModel: its signatures, and running them through the C++ session that TensorFlow Serving uses.

`Session._call_tf_sessionrun` is private, but it is the only way from Python that leaves shapes and dtypes to
the graph and so fails with the same words as the C++ server. The pinned TensorFlow has it; a test watches it.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow.python.client import pywrap_tf_session

from serving.server.errors import Code, ServingError

_log = logging.getLogger(__name__)

_MAX_TIMEOUT_MS = 2**31 - 1
_SAVED_MODEL_FILES = ("saved_model.pb", "saved_model.pbtxt")


@dataclass(frozen=True)
class _Signature:
    """Where the values of one signature go in and come out of the graph, by alias."""

    feeds: Mapping[str, object]
    fetches: Mapping[str, object]


class SavedModel:
    """One version, ready to answer. Calls may run at the same time."""

    def __init__(self, session: tf.compat.v1.Session, meta_graph: meta_graph_pb2.MetaGraphDef) -> None:
        """Takes a session into which `meta_graph` was loaded."""
        self.signatures: Mapping[str, meta_graph_pb2.SignatureDef] = meta_graph.signature_def
        self._session = session
        self._bound: dict[str, _Signature] = {}

    def run(
        self,
        signature_name: str,
        inputs: Mapping[str, np.ndarray],
        outputs: Sequence[str],
        timeout_s: float | None,
    ) -> Mapping[str, np.ndarray]:
        """Runs one signature.

        Args:
            signature_name: One of `signatures`.
            inputs: Every input of the signature, by alias.
            outputs: The aliases to compute.
            timeout_s: Seconds until the run is given up; None waits as long as it takes.

        Returns:
            The outputs in the order asked for.

        Raises:
            ServingError: With TensorFlow's own code and message.
        """
        signature = self._bind(signature_name)
        feeds = {signature.feeds[alias]: value for alias, value in inputs.items()}
        fetches = [signature.fetches[alias] for alias in outputs]
        options = _run_options(timeout_s)
        try:
            values = self._session._call_tf_sessionrun(options, feeds, fetches, [], None)
        except tf.errors.OpError as error:
            raise ServingError(Code(error.error_code), error.message) from error
        finally:
            if options is not None:
                pywrap_tf_session.TF_DeleteBuffer(options)
        return dict(zip(outputs, values, strict=True))

    def close(self) -> None:
        """Gives back the session and its variables."""
        self._bound.clear()
        self._session.close()
        del self._session

    def _bind(self, signature_name: str) -> _Signature:
        if signature_name not in self._bound:
            definition = self.signatures[signature_name]
            self._bound[signature_name] = _Signature(
                self._tensors(definition.inputs), self._tensors(definition.outputs)
            )
        return self._bound[signature_name]

    def _tensors(self, infos: Mapping[str, meta_graph_pb2.TensorInfo]) -> Mapping[str, object]:
        try:
            graph = self._session.graph
            return {
                alias: graph.get_tensor_by_name(info.name)._as_tf_output() for alias, info in infos.items()
            }
        except (KeyError, ValueError, TypeError) as error:
            raise ServingError(Code.INTERNAL, f"The signature does not fit the graph: {error}") from error


def load(path: Path) -> SavedModel:
    """Loads a SavedModel directory for serving.

    Unlike TensorFlow Serving, a missing `variables/variables.index` is an error here, not a model whose
    every request fails.

    Raises:
        ServingError: With the reason.
    """
    if not any((path / name).is_file() for name in _SAVED_MODEL_FILES):
        raise ServingError(
            Code.NOT_FOUND,
            "Specified file path does not appear to contain a SavedModel bundle "
            f"(should have a file called `saved_model.pb`)\nSpecified file path: {path}",
        )
    graph = tf.Graph()
    session = tf.compat.v1.Session(graph=graph, config=tf.compat.v1.ConfigProto(allow_soft_placement=True))
    try:
        with graph.as_default():
            meta_graph = tf.compat.v1.saved_model.loader.load(session, [tf.saved_model.SERVING], str(path))
        session._extend_graph()  # a model without variables has run nothing yet
    except Exception as error:
        session.close()
        raise _load_error(error) from error
    return SavedModel(session, meta_graph)


def _load_error(error: Exception) -> ServingError:
    if isinstance(error, tf.errors.OpError):
        return ServingError(Code(error.error_code), error.message)
    codes = {OSError: Code.DATA_LOSS, RuntimeError: Code.NOT_FOUND, ValueError: Code.DATA_LOSS}
    code = next((codes[kind] for kind in codes if isinstance(error, kind)), Code.INTERNAL)
    return ServingError(code, str(error))


def _run_options(timeout_s: float | None) -> object | None:
    if timeout_s is None or timeout_s * 1000 > _MAX_TIMEOUT_MS:
        return None
    options = tf.compat.v1.RunOptions(timeout_in_ms=max(1, round(timeout_s * 1000)))
    return pywrap_tf_session.TF_NewBufferFromString(options.SerializeToString())
