"""The REST API: TensorFlow Serving's paths, JSON bodies and status codes, in terms of the core."""

import json
import logging
import re
from urllib.parse import unquote

from serving.server import metadata
from serving.server.errors import Code, ServingError, invalid_argument, truncated
from serving.server.execution.prediction import predict
from serving.server.execution.servable import SavedModel
from serving.server.execution.tensors import dtype_name
from serving.server.lifecycle.core import Core
from serving.server.model_ref import DEFAULT_SIGNATURE, ModelRef
from serving.server.rest_api import json_answers, json_predict

_log = logging.getLogger(__name__)

# Not Starlette's routes: they cannot ignore case, take %2F in a name for a slash, and answer 405 to a wrong method.
_MODEL = (
    r"(?i:/v1/models)/(?P<name>[^/:]+)(?:(?i:/versions)/(?P<version>[0-9]+)|(?i:/labels)/(?P<label>[^/:]+))?"
)
_PREDICT = re.compile(_MODEL + r":(?P<verb>(?i:predict|classify|regress))")
_READ = re.compile(_MODEL + r"(?P<metadata>(?i:/metadata))?")
_NO_NAME = re.compile(r"(?i)/v1/models")
_INT64_MAX = 2**63 - 1


class RestApi:
    """Answers requests by path; one instance serves all connections."""

    def __init__(self, core: Core[SavedModel], timeout_s: float) -> None:
        """Answers from `core`; a prediction may take `timeout_s` seconds."""
        self._core = core
        self._timeout_s = timeout_s

    def answer(self, method: str, path: str, body: bytes) -> bytes:
        """Returns the JSON answer to one request.

        Args:
            method: HTTP method.
            path: Path as sent, percent-encoding and all.
            body: Request body, inflated.

        Raises:
            ServingError: With the text for the `error` key.
        """
        if method == "POST" and (match := _PREDICT.fullmatch(path)):
            return self._predict(match, body)
        if method == "GET" and (match := _READ.fullmatch(path)):
            return self._read(match)
        if method == "GET" and _NO_NAME.fullmatch(path):
            raise invalid_argument("Missing model name in request.")
        raise invalid_argument(f"Malformed request: {method} {path}")

    def _predict(self, match: re.Match[str], body: bytes) -> bytes:
        verb = match["verb"].lower()
        if verb != "predict":
            raise ServingError(
                Code.UNIMPLEMENTED,
                f"{verb} is not offered by the embedded model server; use predict, "
                "or run tensorflow_model_server.",
            )
        ref = _to_ref(match)
        request = json_predict.parse(body)
        with self._core.use(ref) as (_, model):
            signature_name = request.signature_name or DEFAULT_SIGNATURE
            if signature_name not in model.signatures:
                raise invalid_argument(
                    f'Serving signature name: "{signature_name}" not found in signature def'
                )
            infos = model.signatures[signature_name].inputs
            dtypes = {alias: dtype_name(info.dtype) for alias, info in infos.items()}
            inputs = json_predict.to_inputs(request, dtypes)
            outputs = predict(model, signature_name, inputs, timeout_s=self._timeout_s)
        return json_answers.render(outputs, by_row=request.by_row)

    def _read(self, match: re.Match[str]) -> bytes:
        ref = _to_ref(match)
        if not match["metadata"]:
            return _dump(metadata.status_json(self._core.states(ref)))
        with self._core.use(ref) as (version, model):
            return _dump(metadata.metadata_json(ref.name, version, model.signatures))


def _to_ref(match: re.Match[str]) -> ModelRef:
    version = None
    if match["version"]:
        digits = match["version"].lstrip("0") or "0"
        # By length first: Python reads no integer of more than 4,300 digits.
        if len(digits) > len(str(_INT64_MAX)) or int(digits) > _INT64_MAX:
            raise invalid_argument(f"Failed to convert version: {truncated(match['version'])} to numeric.")
        version = int(digits)
    label = unquote(match["label"]) if match["label"] else None
    return ModelRef(unquote(match["name"]), version, label)


def _dump(document: dict[str, object]) -> bytes:
    return json.dumps(document).encode("utf-8")
