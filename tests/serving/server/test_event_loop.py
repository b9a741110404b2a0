"""What takes long about one call holds up no other: where requests are batched, all small ones share an event loop."""

import asyncio
import contextlib
import os
import selectors
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest

DEADLINE_S = 10
LARGE = 100_000


class Repeat:
    """Answers a row with as many copies of its number."""

    def __init__(self):
        from tensorflow.core.protobuf import meta_graph_pb2

        signature = meta_graph_pb2.SignatureDef()
        signature.inputs["x"].name, signature.outputs["y"].name = "x:0", "y:0"
        self.signatures = {"serving_default": signature}

    def run(self, signature_name, inputs, outputs, timeout_s):
        count = int(inputs["x"].ravel()[0])
        return {"y": np.full((len(inputs["x"]), count), count, np.float32)}


class Held:
    """What one call waits for until another one has been answered."""

    def __init__(self):
        self.go, self.met = threading.Event(), False

    def __call__(self):
        self.met = True
        assert self.go.wait(DEADLINE_S), "the event loop is held up"


@pytest.fixture
def held():
    return Held()


@pytest.fixture
def ask(held):
    """Asks for `slow` first, and lets what is held go on once `quick` is answered; returns both responses."""
    from tensorflow_serving.apis import predict_pb2

    from serving.server.event_loop import EventLoop
    from serving.server.execution.batching.batching_model import BatchingModel
    from serving.server.execution.batching.parameters import BatchingParameters
    from serving.server.execution.batching.scheduler import BatchScheduler
    from serving.server.grpc_api import serving_services
    from serving.server.inference import Inference

    model = BatchingModel(Repeat(), BatchScheduler(1, "test"), BatchingParameters(max_execution_size=1))

    class Core:
        def use(self, ref):
            return contextlib.nullcontext((1, model))

        def settings(self, name):
            return SimpleNamespace(logging=name == "logged" or None)

    class Log:
        def wants(self, logging):
            return logging is not None

        def write(self, name, logging, entry):
            held()

    async def both(slow, quick):
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(2) as pool:
            loop.set_default_executor(pool)
            inference = Inference(Core(), log=Log())
            methods = serving_services.prediction_service(inference, pool, EventLoop(loop))
            context = SimpleNamespace(time_remaining=lambda: None)
            predict = methods["Predict"].unary_unary
            first = asyncio.ensure_future(predict(slow.SerializeToString(), context))
            second = await predict(quick.SerializeToString(), context)
            while not held.met:
                await asyncio.sleep(0.001)
            assert not first.done()
            held.go.set()
            return [predict_pb2.PredictResponse.FromString(answer) for answer in (await first, second)]

    return lambda slow, quick: asyncio.run(asyncio.wait_for(both(slow, quick), 2 * DEADLINE_S))


@pytest.fixture
def request_for():
    from tensorflow_serving.apis import predict_pb2

    def request_for(count, model="plain", sizes=(1, 1)):
        request = predict_pb2.PredictRequest()
        request.model_spec.name = model
        tensor = request.inputs["x"]
        tensor.dtype = 1
        tensor.float_val.append(count)
        for size in sizes:
            tensor.tensor_shape.dim.add(size=size)
        return request

    return request_for


def test_the_request_log_of_one_call_is_written_while_others_are_answered(ask, request_for):
    logged, other = ask(request_for(1, "logged"), request_for(2))
    assert [list(each.outputs["y"].float_val) for each in (logged, other)] == [[1.0], [2.0, 2.0]]


def test_a_large_answer_is_encoded_while_others_are_answered(ask, request_for, held, monkeypatch):
    from serving.server import encoding

    def tensor(array, as_content):
        if array.size == LARGE:
            held()
        return encode(array, as_content)

    encode = encoding._tensor
    monkeypatch.setattr(encoding, "_tensor", tensor)
    large, small = ask(request_for(LARGE), request_for(2))
    assert [len(each.outputs["y"].float_val) for each in (large, small)] == [LARGE, 2]


def test_a_request_that_declares_many_values_is_decoded_while_others_are_answered(
    ask, request_for, held, monkeypatch
):
    from serving.server.execution import tensors

    def from_protos(protos):
        if protos["x"].tensor_shape.dim[1].size == LARGE:
            held()
        return decode(protos)

    decode = tensors.from_protos
    monkeypatch.setattr(tensors, "from_protos", from_protos)
    answers = ask(request_for(1, sizes=(1, LARGE)), request_for(2))
    assert [list(each.outputs["y"].float_val) for each in answers] == [[1.0], [2.0, 2.0]]


def many_dimensions(request):
    for _ in range(5_000):
        request.inputs["x"].tensor_shape.dim.add(size=0)


def many_strings_in_one_piece(request):
    tensor = request.inputs["x"]
    tensor.dtype, tensor.tensor_content = 7, bytes(60_000)
    tensor.tensor_shape.dim[0].size = len(tensor.tensor_content)


def many_inputs(request):
    for number in range(3_000):
        request.inputs[str(number)].dtype = 1


@pytest.mark.parametrize("much", [many_dimensions, many_strings_in_one_piece, many_inputs])
def test_few_bytes_that_are_much_to_decode_are_not_taken_for_a_small_request(request_for, much):
    from serving.server.execution.batching import sizes

    request = request_for(1)
    assert sizes.is_small_request(request.inputs)
    much(request)
    assert len(request.SerializeToString()) < 64 * 2**10
    assert not sizes.is_small_request(request.inputs)


class Alone:
    """A model without batches, which notes the thread that each of its runs is on."""

    def __init__(self, quick, run=lambda: None):
        self.signatures, self.quick, self.wait, self.threads = Repeat().signatures, quick, run, []
        self.timeouts_s = []

    def is_quick(self, signature_name, inputs):
        return self.quick

    def run(self, signature_name, inputs, outputs, timeout_s):
        self.threads.append(threading.current_thread())
        self.timeouts_s.append(timeout_s)
        if inputs["x"].ravel()[0] == LARGE:
            self.wait()
        return {"y": inputs["x"]}


@pytest.fixture
def predict_of():
    """Returns a coroutine function of requests, answered by a model on the running loop."""
    from serving.server.caller import Caller
    from serving.server.event_loop import EventLoop
    from serving.server.inference import Inference

    def predict_of(model):
        core = SimpleNamespace(use=lambda ref: contextlib.nullcontext((1, model)), settings=lambda name: None)
        loop = EventLoop(asyncio.get_running_loop())
        caller = Caller(DEADLINE_S)
        return lambda request: Inference(core).predict_on_loop(request, caller, loop)

    return predict_of


@pytest.mark.parametrize("quick", [True, False])
def test_a_lone_call_runs_on_the_event_loop_if_its_model_is_quick(predict_of, request_for, quick):
    model = Alone(quick)

    async def ask():
        await predict_of(model)(request_for(1))

    asyncio.run(ask())
    assert (model.threads == [threading.current_thread()]) == quick


def test_the_loop_looks_out_for_a_moment_after_a_lone_call_and_then_sleeps_until_something_comes(monkeypatch):
    from serving.server import event_loop
    from serving.server.event_loop import EventLoop, Lookout

    monkeypatch.setattr(event_loop, "cores", lambda: 2)
    lookout, (reader, writer) = Lookout(), socket.socketpair()
    with lookout, reader, writer:
        lookout.register(reader, selectors.EVENT_READ)
        looks = []

        def select(timeout):
            looks.append(timeout)
            return [] if timeout is None else ready(timeout)

        ready = super(Lookout, lookout).select
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(event_loop, "_LOOKOUT_S", 0.1)
            patched.setattr(selectors.DefaultSelector, "select", lambda self, timeout=None: select(timeout))
            assert lookout.select(None) == []
            assert looks == [None], "nobody has asked yet"
            assert EventLoop(None, lookout).here(len, "answer") == 6
            assert lookout.select(None) == []
            assert set(looks[1:-1]) == {0}
            assert looks[-1] is None
        lookout.look_out()
        writer.send(b"the next call")
        ((key, _),) = lookout.select(None)
        assert key.fileobj is reader


@pytest.mark.parametrize(
    ("said", "expected"),
    [("50000 100000", 0.5), ("max 100000", None), ("100000000 100000", None), ("", None)],
)
def test_a_process_may_use_the_cores_that_it_is_left(tmp_path, said, expected):
    from serving.server.event_loop import cores

    if said:
        (tmp_path / "cpu.max").write_text(f"{said}\n")
    allowed = len(os.sched_getaffinity(0))
    assert cores(tmp_path / "cpu.max") == (expected or allowed)


def test_where_there_is_one_core_the_loop_does_not_look_out(monkeypatch):
    from serving.server import event_loop

    monkeypatch.setattr(event_loop, "cores", lambda: 1.5)
    with event_loop.Lookout() as lookout:
        lookout.look_out()
        assert lookout._until == 0


@pytest.mark.parametrize("way", ["elsewhere", "delivered"])
def test_the_loop_looks_out_no_more_once_a_thread_works(monkeypatch, way):
    from serving.server import event_loop

    monkeypatch.setattr(event_loop, "cores", lambda: 2)
    monkeypatch.setattr(event_loop, "_LOOKOUT_S", 10 * DEADLINE_S)
    lookout, slept = event_loop.Lookout(), threading.Event()
    running, ready = asyncio.SelectorEventLoop(lookout), super(event_loop.Lookout, lookout).select
    loop = event_loop.EventLoop(running, lookout)

    def select(self, timeout=None):
        if timeout is None:
            slept.set()
        return ready(timeout)

    def submit(done):
        threading.Thread(target=lambda: done(slept.wait(DEADLINE_S), None)).start()
        return lambda: None

    async def ask():
        loop.here(len, "answer")
        return await (
            loop.elsewhere(slept.wait, DEADLINE_S) if way == "elsewhere" else loop.delivered(submit)
        )

    with contextlib.closing(running):
        monkeypatch.setattr(selectors.DefaultSelector, "select", select)
        assert running.run_until_complete(ask())
        running.run_until_complete(running.shutdown_default_executor())


def test_a_quick_call_runs_on_a_thread_as_long_as_another_one_does(predict_of, request_for, held):
    model = Alone(False, held)

    async def ask():
        predict = predict_of(model)
        first = asyncio.ensure_future(predict(request_for(LARGE)))
        while not held.met:
            await asyncio.sleep(0.001)
        model.quick = True
        await predict(request_for(1))
        held.go.set()
        await first

    asyncio.run(asyncio.wait_for(ask(), 2 * DEADLINE_S))
    assert threading.current_thread() not in model.threads


def test_calls_that_come_one_right_after_the_other_do_not_all_run_on_the_event_loop(predict_of, request_for):
    model = Alone(True)

    async def ask():
        predict = predict_of(model)
        await asyncio.gather(*(predict(request_for(1)) for _ in range(50)))

    asyncio.run(ask())
    assert model.threads[0] is threading.current_thread()
    assert {each is threading.current_thread() for each in model.threads} == {True, False}


def test_what_a_call_has_waited_for_a_thread_is_taken_off_its_time(predict_of, request_for, held):
    model = Alone(False, held)

    async def ask():
        with ThreadPoolExecutor(1) as pool:
            asyncio.get_running_loop().set_default_executor(pool)
            predict = predict_of(model)
            first = asyncio.ensure_future(predict(request_for(LARGE)))
            second = asyncio.ensure_future(predict(request_for(1)))
            while not held.met:
                await asyncio.sleep(0.001)
            began = time.monotonic()
            await asyncio.sleep(0.001)
            waited_s = time.monotonic() - began
            held.go.set()
            await asyncio.gather(first, second)
        return waited_s

    waited_s = asyncio.run(asyncio.wait_for(ask(), 2 * DEADLINE_S))
    assert model.timeouts_s[1] <= DEADLINE_S - waited_s
