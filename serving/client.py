"""Calls a TensorFlow Serving compatible server by gRPC: prediction, metadata, state of versions, reload."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import grpc
import numpy as np

from serving import signatures, tensors
from serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
    model_server_config_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)
from serving.errors import ReleaseError, ServerUnavailableError
from serving.signatures import DEFAULT, Signature

OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # By default the pauses between two attempts to connect grow to minutes, and a server that has just come up
    # is noticed that much later.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
]

State = get_model_status_pb2.ModelVersionStatus.State


@dataclass(frozen=True)
class Prediction:
    """Answer to a batch.

    Attributes:
        outputs: Arrays by name, such as `probabilities` float32 `[n, classes]`; strings are objects of type `bytes`.
        version: The version that answered.
    """

    outputs: Mapping[str, np.ndarray]
    version: int


@dataclass(frozen=True)
class VersionState:
    """State of one version on the server; `error` is empty unless it failed."""

    state: str
    error: str


class Client:
    """One connection to a model server.

    Args:
        target: `host:port` of its gRPC port.
        timeout_s: Deadline of each call, in seconds.
    """

    def __init__(self, target: str, timeout_s: float = 30.0) -> None:
        self.target, self.timeout_s = target, timeout_s
        self.channel = grpc.insecure_channel(target, options=OPTIONS)
        self.models = model_service_pb2_grpc.ModelServiceStub(self.channel)
        self.predictions = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *exception: object) -> None:
        self.channel.close()

    def _error(self, error: grpc.RpcError, doing: str) -> Exception:
        if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
            return ServerUnavailableError(
                f"Expected a model server at {self.target} while {doing}, got {error.code().name}: "
                f"{error.details()}. Start it with `make up`, then try again."
            )
        return ReleaseError(f"The model server at {self.target} refused {doing}: {error.details()}")

    def call(self, request: predict_pb2.PredictRequest) -> predict_pb2.PredictResponse:
        """Sends one prediction request as it is.

        Raises:
            ServerUnavailableError: If the server does not answer in time.
            ReleaseError: If it answers with an error.
        """
        try:
            return self.predictions.Predict(request, self.timeout_s)
        except grpc.RpcError as error:
            raise self._error(error, f"predicting with {request.model_spec.name}") from error

    def predict(
        self,
        model: str,
        inputs: Mapping[str, np.ndarray],
        *,
        signature: str = DEFAULT,
        label: str | None = None,
        version: int | None = None,
    ) -> Prediction:
        """Sends one batch to a version, to the version behind a label, or (with neither) to the newest.

        Args:
            model: Name.
            inputs: Arrays by name, of the dtypes and shapes that `signatures` tells.
            signature: Name of the signature.
            label: Version label.
            version: Version number.
        """
        request = predict_pb2.PredictRequest()
        _specify(request.model_spec, model, label, version)
        request.model_spec.signature_name = signature
        for name, value in inputs.items():
            request.inputs[name].CopyFrom(tensors.to_proto(value))
        response = self.call(request)
        outputs = {name: tensors.to_array(value) for name, value in sorted(response.outputs.items())}
        return Prediction(outputs, response.model_spec.version.value)

    def signatures(
        self, model: str, *, label: str | None = None, version: int | None = None
    ) -> dict[str, Signature]:
        """Asks a version what it takes and gives; returns its signatures by name.

        Raises:
            ServerUnavailableError: If the server does not answer in time.
            ReleaseError: If it serves no such version.
        """
        try:
            response = self._metadata(model, label, version)
        except grpc.RpcError as error:
            raise self._error(error, f"asking what {model} takes") from error
        definitions = get_model_metadata_pb2.SignatureDefMap()
        response.metadata["signature_def"].Unpack(definitions)
        return signatures.of_definitions(definitions.signature_def)

    def _metadata(
        self, model: str, label: str | None, version: int | None
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        _specify(request.model_spec, model, label, version)
        return self.predictions.GetModelMetadata(request, self.timeout_s)

    def versions(self, model: str) -> dict[int, VersionState]:
        """Returns the state of every version the server knows of `model`; empty where it knows none."""
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = model
        try:
            response = self.models.GetModelStatus(request, self.timeout_s)
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.NOT_FOUND:
                return {}
            raise self._error(error, f"asking for the state of {model}") from error
        return {
            found.version: VersionState(State.Name(found.state), found.status.error_message)
            for found in response.model_version_status
        }

    def labelled(self, model: str, label: str) -> int | None:
        """Returns the version that answers behind a label; `None` where the label or the model is not served."""
        try:
            response = self._metadata(model, label, None)
        except grpc.RpcError as error:
            if error.code() in (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT):
                return None
            raise self._error(error, f"asking which version of {model} is {label}") from error
        return int(response.model_spec.version.value)

    def reload(self, config: model_server_config_pb2.ModelServerConfig) -> bool:
        """Replaces the server's whole configuration.

        Returns:
            Whether the server said that it is in force. A server waits for the first version of a model that it did
            not know; where that takes longer than a call may, the states of the versions say how it ends.

        Raises:
            ReleaseError: If the server refuses it.
            ServerUnavailableError: If there is no server.
        """
        request = model_management_pb2.ReloadConfigRequest(config=config)
        try:
            response = self.models.HandleReloadConfigRequest(request, self.timeout_s)
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.DEADLINE_EXCEEDED:
                return False
            raise self._error(error, "the new configuration") from error
        if response.status.error_code:
            raise ReleaseError(
                f"The model server at {self.target} refused the new configuration: "
                f"{response.status.error_message}"
            )
        return True


def _specify(spec: Any, model: str, label: str | None, version: int | None) -> None:
    """Fills a ModelSpec; a version counts more than a label."""
    spec.name = model
    if version is not None:
        spec.version.value = version
    elif label is not None:
        spec.version_label = label
