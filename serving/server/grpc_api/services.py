"""The gRPC API: the services of the plain tensorflow-serving-api stubs, in terms of the core."""

import logging
from collections.abc import Callable
from concurrent import futures
from typing import NoReturn, TypeVar

import grpc
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from serving.server import metadata
from serving.server.errors import ServingError, invalid_argument, port_taken, truncated
from serving.server.execution import tensors
from serving.server.execution.prediction import predict
from serving.server.execution.servable import SavedModel
from serving.server.lifecycle.core import Core, unavailable_error
from serving.server.lifecycle.model_config import to_settings
from serving.server.model_ref import DEFAULT_SIGNATURE, ModelRef

_log = logging.getLogger(__name__)

_MAX_MESSAGE_BYTES = 2**31 - 1
_OPTIONS = [
    ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
    ("grpc.so_reuseport", 0),  # two servers on one port would share its calls silently
]
_GRPC_CODES = {code.value[0]: code for code in grpc.StatusCode}

T = TypeVar("T")


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict and GetModelMetadata; the others answer UNIMPLEMENTED."""

    def __init__(self, core: Core[SavedModel]) -> None:
        """Answers from `core`."""
        self._core = core

    def Predict(
        self, request: predict_pb2.PredictRequest, context: grpc.ServicerContext
    ) -> predict_pb2.PredictResponse:
        """Runs a signature of the version that the request means."""
        return _answer(context, lambda: self._predict(request, context.time_remaining()))

    def GetModelMetadata(
        self, request: get_model_metadata_pb2.GetModelMetadataRequest, context: grpc.ServicerContext
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """Returns the signatures of the version that the request means."""
        return _answer(context, lambda: self._metadata(request))

    def Classify(self, request: object, context: grpc.ServicerContext) -> NoReturn:
        """Is not offered."""
        _not_offered(context, "Classify")

    def Regress(self, request: object, context: grpc.ServicerContext) -> NoReturn:
        """Is not offered."""
        _not_offered(context, "Regress")

    def MultiInference(self, request: object, context: grpc.ServicerContext) -> NoReturn:
        """Is not offered."""
        _not_offered(context, "MultiInference")

    def _predict(
        self, request: predict_pb2.PredictRequest, timeout_s: float | None
    ) -> predict_pb2.PredictResponse:
        ref = to_ref(request)
        with self._core.use(ref) as (version, model):
            inputs = tensors.from_protos(request.inputs)
            outputs = predict(model, ref.signature_name, inputs, request.output_filter, timeout_s)
        response = predict_pb2.PredictResponse()
        response.model_spec.name = ref.name
        response.model_spec.version.value = version
        response.model_spec.signature_name = ref.signature_name
        for alias, array in outputs.items():
            tensors.to_proto(array, response.outputs[alias])
        return response

    def _metadata(
        self, request: get_model_metadata_pb2.GetModelMetadataRequest
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        ref = to_ref(request)
        metadata.check_fields(request.metadata_field)
        with self._core.use(ref) as (version, model):
            return metadata.metadata_response(ref.name, version, model.signatures)


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """Status of the versions, and a new configuration."""

    def __init__(self, core: Core[SavedModel]) -> None:
        """Answers from `core`."""
        self._core = core

    def GetModelStatus(
        self, request: get_model_status_pb2.GetModelStatusRequest, context: grpc.ServicerContext
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """Returns the state of each version of a model."""
        return _answer(context, lambda: metadata.status_response(self._core.states(to_ref(request))))

    def HandleReloadConfigRequest(
        self, request: model_management_pb2.ReloadConfigRequest, context: grpc.ServicerContext
    ) -> model_management_pb2.ReloadConfigResponse:
        """Replaces the configuration and waits for the models it adds."""
        return _answer(context, lambda: self._reload(request, context.is_active))

    def _reload(
        self, request: model_management_pb2.ReloadConfigRequest, still_wanted: Callable[[], bool]
    ) -> model_management_pb2.ReloadConfigResponse:
        if request.config.WhichOneof("config") != "model_config_list":
            raise invalid_argument(
                "ServerModelConfig type not supported by HandleReloadConfigRequest. "
                "Only ModelConfigList is currently supported"
            )
        unavailable = self._core.apply(to_settings(request.config), still_wanted)
        if unavailable:
            raise unavailable_error("model(s)", unavailable)
        response = model_management_pb2.ReloadConfigResponse()
        response.status.error_code = 0
        return response


def to_ref(request: object) -> ModelRef:
    """Reads the ModelSpec of a request.

    Raises:
        ServingError: INVALID_ARGUMENT if it has none.
    """
    if not request.HasField("model_spec"):  # type: ignore[attr-defined]  # every request message has one
        raise invalid_argument("Missing ModelSpec")
    spec: model_pb2.ModelSpec = request.model_spec  # type: ignore[attr-defined]
    choice = spec.WhichOneof("version_choice")
    return ModelRef(
        name=spec.name,
        version=spec.version.value if choice == "version" else None,
        label=spec.version_label if choice == "version_label" else None,
        signature_name=spec.signature_name or DEFAULT_SIGNATURE,
    )


def make_server(core: Core[SavedModel], address: str, max_workers: int) -> grpc.Server:
    """Builds a server that is bound to `address` and not yet started.

    Raises:
        OSError: If the address cannot be bound.
    """
    server = grpc.server(futures.ThreadPoolExecutor(max_workers, "grpc"), options=_OPTIONS)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(PredictionService(core), server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(core), server)
    try:
        server.add_insecure_port(address)
    except RuntimeError as error:
        raise OSError(port_taken("port", address, "is it in use?")) from error
    return server


def _answer(context: grpc.ServicerContext, call: Callable[[], T]) -> T:
    try:
        return call()
    except ServingError as error:
        context.abort(_GRPC_CODES[int(error.code)], truncated(error.message))
    except Exception as error:
        _log.exception("A call failed in a way it should not")
        context.abort(grpc.StatusCode.INTERNAL, truncated(f"{type(error).__name__}: {error}"))
    raise AssertionError("context.abort raises")


def _not_offered(context: grpc.ServicerContext, method: str) -> NoReturn:
    context.abort(
        grpc.StatusCode.UNIMPLEMENTED,
        f"{method} is not offered by the embedded model server, which answers Predict and GetModelMetadata. "
        "Use Predict, or run tensorflow_model_server.",
    )
    raise AssertionError("context.abort raises")
