"""Answers the requests of both APIs about loaded versions: which version, which answer, and what is counted and logged.

Takes and gives the messages of tensorflow-serving-api; knows no connection and no JSON.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import numpy as np
from google.protobuf.message import Message
from tensorflow_serving.apis import (
    classification_pb2,
    inference_pb2,
    predict_pb2,
    regression_pb2,
    session_service_pb2,
)

from serving.server import encoding
from serving.server.caller import Caller
from serving.server.counted import Counted
from serving.server.errors import invalid_argument
from serving.server.event_loop import EventLoop
from serving.server.execution import examples, inference, session_run, tensors
from serving.server.execution.batching import sizes
from serving.server.execution.batching.batching_model import BatchingModel
from serving.server.execution.model import Model
from serving.server.execution.prediction import SignatureDef, predict, prepare
from serving.server.lifecycle.core import Core
from serving.server.lifecycle.model_settings import RequestLogging
from serving.server.model_ref import ModelRef, fill_spec, to_ref
from serving.server.monitoring import metrics
from serving.server.request_log import RequestLog, entry_of, entry_of_messages

T = TypeVar("T", bound=Message)


@dataclass(frozen=True)
class Inference:
    """Answers from the versions of a core.

    Attributes:
        strict: Refuses a call where the signature has another method name.
        as_content: Answers Predict with `tensor_content` in the place of typed fields.
        log: Where sampled requests go.
    """

    core: Core[Model]
    strict: bool = False
    as_content: bool = False
    log: RequestLog = field(default_factory=RequestLog)

    def predict(self, request: predict_pb2.PredictRequest, caller: Caller) -> bytes:
        """Runs a signature on named tensors; returns a PredictResponse, serialized.

        Raises:
            ServingError: With the code and words of TensorFlow Serving, as all of these.
        """
        ref = to_ref(request)
        with self._counted(ref, "Predict", caller) as (version, model):
            inputs = tensors.from_protos(request.inputs)
            outputs = predict(
                model,
                ref.signature_name,
                inputs,
                request.output_filter,
                caller.timeout_s,
                strict=self.strict,
            )
        return self._written(request, ref, version, outputs, self._logging(ref.name))

    async def predict_on_loop(
        self, request: predict_pb2.PredictRequest, caller: Caller, loop: EventLoop
    ) -> bytes:
        """As `predict`, on the running event loop: while a batch gathers and runs, no thread waits for it.

        What would hold up other calls is done on the threads of the loop: what takes long, what is large, and files.

        Args:
            request: What is asked.
            caller: Who asks.
            loop: The running one.
        """
        ref, elsewhere, began = to_ref(request), loop.elsewhere, time.monotonic()
        with self._counted(ref, "Predict", caller) as (version, model):
            if sizes.is_small_request(request.inputs):
                inputs = tensors.from_protos(request.inputs)
            else:
                inputs = await elsewhere(tensors.from_protos, request.inputs)
            prepared, names = prepare(
                model, ref.signature_name, inputs, request.output_filter, strict=self.strict
            )
            run = ref.signature_name, prepared, names
            if isinstance(model, BatchingModel) and model.batches(ref.signature_name, names):
                outputs = await loop.delivered(partial(model.submit, *run, caller.left_s(began)))
            elif loop.is_idle() and model.is_quick(ref.signature_name, prepared):
                outputs = loop.here(model.run, *run, caller.left_s(began))
            else:  # a thread may be long in coming
                outputs = await elsewhere(lambda: model.run(*run, caller.left_s(began)))
        logging = self._logging(ref.name)
        if logging is None and sizes.is_small_answer(outputs):
            return self._encoded(ref, version, outputs)
        return await elsewhere(self._written, request, ref, version, outputs, logging)

    def predict_arrays(
        self,
        ref: ModelRef,
        make_inputs: Callable[[SignatureDef], Mapping[str, np.ndarray]],
        caller: Caller,
    ) -> Mapping[str, np.ndarray]:
        """Runs a signature for a caller that has no messages.

        Args:
            ref: The model.
            make_inputs: Makes the inputs for the signature.
            caller: Who asks.
        """
        with self._counted(ref, "Predict", caller) as (version, model):
            if ref.signature_name not in model.signatures:
                raise invalid_argument(
                    f'Serving signature name: "{ref.signature_name}" not found in signature def'
                )
            inputs = make_inputs(model.signatures[ref.signature_name])
            outputs = predict(
                model, ref.signature_name, inputs, timeout_s=caller.timeout_s, strict=self.strict
            )
        logging = self._logging(ref.name)
        if logging:
            self.log.write(ref.name, logging, entry_of(ref, version, inputs, outputs))
        return outputs

    def classify(
        self, request: classification_pb2.ClassificationRequest, caller: Caller
    ) -> classification_pb2.ClassificationResponse:
        """Classifies tf.Examples."""
        response = classification_pb2.ClassificationResponse()
        ref = to_ref(request)
        with self._counted(ref, "Classify", caller) as (version, model):
            response.result.CopyFrom(
                inference.classify(
                    model, ref.signature_name, request.input, strict=self.strict, timeout_s=caller.timeout_s
                )
            )
        fill_spec(response.model_spec, ref, version)
        _count_examples(ref.name, len(response.result.classifications))
        return self._logged(request, response, "classify_log", ref.name)

    def regress(
        self, request: regression_pb2.RegressionRequest, caller: Caller
    ) -> regression_pb2.RegressionResponse:
        """Regresses tf.Examples."""
        response = regression_pb2.RegressionResponse()
        ref = to_ref(request)
        with self._counted(ref, "Regress", caller) as (version, model):
            response.result.CopyFrom(
                inference.regress(
                    model, ref.signature_name, request.input, strict=self.strict, timeout_s=caller.timeout_s
                )
            )
        fill_spec(response.model_spec, ref, version)
        _count_examples(ref.name, len(response.result.regressions))
        return self._logged(request, response, "regress_log", ref.name)

    def multi_inference(
        self, request: inference_pb2.MultiInferenceRequest, caller: Caller
    ) -> inference_pb2.MultiInferenceResponse:
        """Answers several tasks about the same tf.Examples; the first one's model spec picks the version."""
        first = request.tasks[0] if request.tasks else inference_pb2.InferenceTask()
        first.model_spec.SetInParent()  # without one the name is empty, and that is what is said
        response = inference_pb2.MultiInferenceResponse()
        ref = to_ref(first)
        with self._counted(ref, "MultiInference", caller) as (version, model):
            found = inference.infer_all(
                model, request.tasks, request.input, strict=self.strict, timeout_s=caller.timeout_s
            )
        for task, result in zip(request.tasks, found, strict=True):
            fill_spec(result.model_spec, to_ref(task), version)
            response.results.append(result)
        _count_examples(ref.name, len(examples.examples_of(request.input)))
        return self._logged(request, response, "multi_inference_log", ref.name)

    def session_run(
        self, request: session_service_pb2.SessionRunRequest, caller: Caller
    ) -> session_service_pb2.SessionRunResponse:
        """Runs the graph by the names of its tensors, or by the aliases of a signature."""
        response = session_service_pb2.SessionRunResponse()
        timeout_s = request.options.timeout_in_ms / 1000 or caller.timeout_s
        ref = to_ref(request)
        with self._counted(ref, "SessionRun", caller) as (version, model):
            found = session_run.run(model, ref.signature_name, request, timeout_s)
        for name, array in zip(request.fetch, found, strict=True):
            response.tensor.add(name=name).tensor.ParseFromString(encoding.tensor(array))
        fill_spec(response.model_spec, ref, version)
        return self._logged(request, response, "session_run_log", ref.name)

    def _counted(self, ref: ModelRef, api: str, caller: Caller) -> Counted:
        return Counted(self.core, ref, api, caller.entrypoint)

    def _encoded(self, ref: ModelRef, version: int, outputs: Mapping[str, np.ndarray]) -> bytes:
        return encoding.prediction(ref, version, outputs, as_content=self.as_content)

    def _written(
        self,
        request: predict_pb2.PredictRequest,
        ref: ModelRef,
        version: int,
        outputs: Mapping[str, np.ndarray],
        logging: RequestLogging | None,
    ) -> bytes:
        written = self._encoded(ref, version, outputs)
        if logging:
            response = predict_pb2.PredictResponse.FromString(written)
            self.log.write(ref.name, logging, entry_of_messages("predict_log", request, response))
        return written

    def _logged(self, request: Message, response: T, kind: str, name: str) -> T:
        logging = self._logging(name)
        if logging:
            self.log.write(name, logging, entry_of_messages(kind, request, response))
        return response

    def _logging(self, name: str) -> RequestLogging | None:
        """Returns how the request at hand is logged, if it is."""
        settings = self.core.settings(name)
        return settings.logging if settings and self.log.wants(settings.logging) else None


def _count_examples(name: str, count: int) -> None:
    metrics.EXAMPLES.observe(count, name)
    metrics.EXAMPLES_TOTAL.add(name, by=count)
