"""TensorFlow Serving's protocol buffers and stubs, imported without TensorFlow.

They are made from `tensorflow.core` protocol buffers, and importing any part of the package `tensorflow` first runs
all of it, for 10 s and more. So while they are imported an empty package of the same place stands in for it. Afterwards
it is taken away again: a later `import tensorflow` is the real one, and finds these modules already loaded.
"""

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

PACKAGE = "tensorflow"


@contextmanager
def _stand_in() -> Iterator[None]:
    """Lets modules below `tensorflow` be imported without its `__init__`; nothing where it is loaded already."""
    spec = None if PACKAGE in sys.modules else importlib.util.find_spec(PACKAGE)
    if spec is None:
        yield
        return
    package = ModuleType(PACKAGE)
    package.__path__ = list(spec.submodule_search_locations or ())
    sys.modules[PACKAGE] = package
    try:
        yield
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
            if not name.endswith("_pb2"):
                del sys.modules[name]


with _stand_in():
    from tensorflow.core.framework import tensor_pb2, types_pb2
    from tensorflow.core.protobuf import saved_model_pb2
    from tensorflow_serving.apis import (
        get_model_metadata_pb2,
        get_model_status_pb2,
        model_management_pb2,
        model_service_pb2_grpc,
        predict_pb2,
        prediction_log_pb2,
        prediction_service_pb2_grpc,
    )
    from tensorflow_serving.config import model_server_config_pb2

__all__ = [
    "get_model_metadata_pb2",
    "get_model_status_pb2",
    "model_management_pb2",
    "model_server_config_pb2",
    "model_service_pb2_grpc",
    "predict_pb2",
    "prediction_log_pb2",
    "prediction_service_pb2_grpc",
    "saved_model_pb2",
    "tensor_pb2",
    "types_pb2",
]
