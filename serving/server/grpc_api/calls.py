"""Carries gRPC calls to plain functions: bytes to messages on a worker thread, errors to statuses.

The event loop moves bytes and does nothing that could hold up another call, not even the parsing of a large message.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from typing import Any, TypeAlias

import grpc
from google.protobuf.message import DecodeError, Message

from serving.server.errors import Code, ServingError, truncated

_log = logging.getLogger(__name__)

_SMALL_BYTES = 64 * 2**10  # what the event loop itself may parse
_GRPC_CODES = {code.value[0]: code for code in grpc.StatusCode}


class Call:
    """One call under way, as the function that answers it sees it."""

    def __init__(self, remaining_s: float | None) -> None:
        """Begins now, and has `remaining_s` seconds; None is for ever."""
        self._deadline = None if remaining_s is None else time.monotonic() + remaining_s
        self._gone = False

    def timeout_s(self) -> float | None:
        """Returns how many seconds are left; None means any number."""
        return None if self._deadline is None else max(0.001, self._deadline - time.monotonic())

    def active(self) -> bool:
        """Whether the client still waits."""
        return not self._gone

    def abandon(self) -> None:
        """Is told when the client has given up."""
        self._gone = True


Answer: TypeAlias = Callable[[Any, Call], Message | bytes]
Soon: TypeAlias = Callable[[Any, Call], Awaitable[bytes]]


def unary(
    kind: type[Any], answer: Answer, pool: Executor | None, soon: Soon | None = None
) -> grpc.RpcMethodHandler:
    """Returns the handler of a method that takes one message and gives one.

    Args:
        kind: Of the request.
        answer: Makes the response, perhaps serialized; a ServingError becomes the status of the call.
        pool: Where it runs; None is for what answers at once, on the event loop itself.
        soon: Answers a small request instead, with a serialized response, on the event loop as far as that holds up
            nobody.
    """

    async def handle(body: bytes, context: grpc.aio.ServicerContext) -> bytes:
        call = Call(context.time_remaining())
        try:
            if soon is not None and len(body) <= _SMALL_BYTES:
                return await soon(parse(kind, body), call)
            if pool is None:
                return _answer(kind, answer, body, call)
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(pool, _answer, kind, answer, body, call)
        except asyncio.CancelledError:
            call.abandon()
            raise
        except Exception as error:
            return bytes(await abort(context, error))

    return grpc.unary_unary_rpc_method_handler(handle)


async def abort(context: grpc.aio.ServicerContext, error: Exception) -> Any:
    """Ends a call with the status that an exception means."""
    if not isinstance(error, ServingError):
        _log.error("A call failed in a way it should not", exc_info=error)
        error = ServingError(Code.INTERNAL, f"{type(error).__name__}: {error}")
    return await context.abort(_GRPC_CODES[int(error.code)], truncated(error.message))


def parse(kind: type[Any], body: bytes) -> Any:
    """Reads a message.

    Raises:
        ServingError: INTERNAL if it is none, which is what a gRPC server in C++ says.
    """
    try:
        return kind.FromString(body)
    except DecodeError as error:
        raise ServingError(
            Code.INTERNAL, f"Expected a {kind.DESCRIPTOR.full_name}, got {len(body)} bytes that are none."
        ) from error


def _answer(kind: type[Any], answer: Answer, body: bytes, call: Call) -> bytes:
    answered = answer(parse(kind, body), call)
    return answered if isinstance(answered, bytes) else answered.SerializeToString()
