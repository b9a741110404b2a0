"""What a model says of itself and of its versions: metadata and status, for gRPC and REST."""

from collections.abc import Iterable, Mapping

from google.protobuf import any_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

from serving.server.errors import invalid_argument
from serving.server.execution.prediction import SignatureDef
from serving.server.lifecycle.states import VersionRecord
from serving.server.proto_json import to_json

SIGNATURE_FIELD = "signature_def"


def check_fields(fields: Iterable[str]) -> None:
    """Refuses a metadata request for anything but signatures.

    Raises:
        ServingError: INVALID_ARGUMENT for no field, or another one.
    """
    names = list(fields)
    if not names:
        raise invalid_argument("GetModelMetadataRequest must specify at least one metadata_field")
    for name in names:
        if name != SIGNATURE_FIELD:
            raise invalid_argument(f"Metadata field {name} is not supported")


def metadata_response(
    name: str, version: int, signatures: Mapping[str, SignatureDef]
) -> get_model_metadata_pb2.GetModelMetadataResponse:
    """Packs the signatures of a version."""
    response = get_model_metadata_pb2.GetModelMetadataResponse()
    response.model_spec.name = name
    response.model_spec.version.value = version
    packed = any_pb2.Any()
    packed.Pack(_signature_map(signatures))
    response.metadata[SIGNATURE_FIELD].CopyFrom(packed)
    return response


def metadata_json(name: str, version: int, signatures: Mapping[str, SignatureDef]) -> dict[str, object]:
    """Returns the same as JSON, laid out as TensorFlow Serving lays it out."""
    return {
        "model_spec": {"name": name, "signature_name": "", "version": str(version)},
        "metadata": {SIGNATURE_FIELD: to_json(_signature_map(signatures))},
    }


def status_response(records: Iterable[VersionRecord]) -> get_model_status_pb2.GetModelStatusResponse:
    """Packs the state of each version, with the error of those that failed."""
    response = get_model_status_pb2.GetModelStatusResponse()
    for record in records:
        status = response.model_version_status.add(version=record.version, state=int(record.state))
        status.status.error_code = 0 if record.error is None else int(record.error.code)
        status.status.error_message = "" if record.error is None else record.error.message
    return response


def status_json(records: Iterable[VersionRecord]) -> dict[str, object]:
    """Returns the same as JSON: int64 as strings, enums by name, every field printed."""
    return to_json(status_response(records))


def _signature_map(signatures: Mapping[str, SignatureDef]) -> get_model_metadata_pb2.SignatureDefMap:
    packed = get_model_metadata_pb2.SignatureDefMap()
    for name, signature in signatures.items():
        packed.signature_def[name].CopyFrom(signature)
    return packed
