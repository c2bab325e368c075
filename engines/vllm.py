"""vLLM's engine in this process, for a generator or a reward model: a request ends when nobody waits for it any more."""

import asyncio
import itertools
import logging
import os
import secrets
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from typing import Any, TypeAlias

from epf.core.errors import InvalidRequest, SearchServiceError
from epf.core.extras import how_to_install
from epf.engines.cpu_defaults import cpu_defaults, described
from epf.engines.machine import available_bytes, computes_bfloat16

logger = logging.getLogger(__name__)

Send: TypeAlias = Callable[[dict[str, list[int]], Any, str], AsyncGenerator[Any, None]]


class VllmEngine:
    """One ``vllm.v1.engine.async_llm.AsyncLLM``.

    Args:
        engine: shut down with this object.
        name: the model in words, for messages: "the generator".
        error: makes the exception that callers see if the engine fails or is closed.
    """

    def __init__(self, engine: Any, name: str, error: Callable[[str], SearchServiceError]) -> None:
        self._engine = engine
        self._name = name
        self._error = error
        self._prefix = secrets.token_hex(8)
        self._numbers = itertools.count()
        self._open: set[asyncio.Task[Any]] = set()
        self._closed = False

    @property
    def context_length(self) -> int:
        """Maximum number of tokens of one request."""
        return int(self._engine.model_config.max_model_len)

    @property
    def vocabulary(self) -> int:
        """Number of token ids that the model knows."""
        return int(self._engine.model_config.get_vocab_size())

    async def generate(self, ids: tuple[int, ...], params: Any, enough: Callable[[Any], bool]) -> None:
        """Pass each ``RequestOutput`` of a request with ``vllm.SamplingParams`` to ``enough``, until it returns true.

        Cancelling the call ends the request.
        """
        await self._until(self._engine.generate, ids, params, enough)

    async def encode(self, ids: tuple[int, ...], params: Any) -> Any:
        """Return the ``PoolingRequestOutput`` of a request with ``vllm.PoolingParams``.

        Cancelling the call ends the request.
        """
        last = None

        def keep(output: Any) -> bool:
            nonlocal last
            last = output
            return False

        await self._until(self._engine.encode, ids, params, keep)
        return last

    async def check(self) -> None:
        """Raise the engine's error if a request would fail now."""
        if self._closed:
            raise self._error(f"The engine of {self._name} is closed.")
        try:
            await self._engine.check_health()
        except Exception as error:
            raise self._error(f"The engine of {self._name} is dead ({type(error).__name__}).") from error

    async def aclose(self) -> None:
        """Fail open calls and end the engine's process. A second call does nothing."""
        if self._closed:
            return
        self._closed = True
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        if (handler := getattr(self._engine, "output_handler", None)) is not None:
            handler.cancel()  # it would report the end of the process as a failure
        await asyncio.to_thread(self._engine.shutdown)

    async def _until(self, send: Send, ids: tuple[int, ...], params: Any, enough: Callable[[Any], bool]) -> None:
        await self.check()
        task = asyncio.create_task(self._request(send, ids, params, enough))
        self._open.add(task)
        task.add_done_callback(self._open.discard)
        try:
            await task
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if self._closed and current is not None and not current.cancelling():
                raise self._error(f"The engine of {self._name} is closed.") from None
            raise

    async def _request(self, send: Send, ids: tuple[int, ...], params: Any, enough: Callable[[Any], bool]) -> None:
        number = f"{self._prefix}-{next(self._numbers)}"
        try:
            async with aclosing(send({"prompt_token_ids": list(ids)}, params, number)) as outputs:
                async for output in outputs:
                    if enough(output) and not output.finished:
                        break
        except asyncio.CancelledError:
            with suppress(Exception):  # a dead engine runs nothing
                await self._engine.abort(number)  # vLLM does not do so itself while it waits to hand the request over
            raise
        except Exception as error:  # only its class: the message may contain the prompt
            raise self._error(f"The engine of {self._name} failed ({type(error).__name__}).") from error


def start_engine(name: str, error: Callable[[str], SearchServiceError], **arguments: Any) -> VllmEngine:
    """Start vLLM with prefix caching.

    ``arguments`` are additional ones of ``AsyncEngineArgs``; the others as for :class:`VllmEngine`. On a machine without a GPU,
    :func:`epf.engines.cpu_defaults.cpu_defaults` adds to them, and the log shows what it chose.

    Raises:
        InvalidRequest: vLLM does not know one of them.
    """
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.platforms import current_platform
    from vllm.v1.engine.async_llm import AsyncLLM

    if current_platform.is_cpu():
        added = cpu_defaults(arguments, os.environ, bfloat16=computes_bfloat16(), available=available_bytes())
        arguments |= added
        if words := described(added):
            logger.info("vLLM runs %s on the CPU with %s; the engine arguments change that", name, words)
    try:
        chosen = AsyncEngineArgs(enable_prefix_caching=True, **arguments)
    except TypeError as wrong:
        raise InvalidRequest(f"The vLLM engine of {name} does not accept these arguments: {wrong}", param="engine") from wrong
    return VllmEngine(AsyncLLM.from_engine_args(chosen), name, error)


def check_installed(param: str, name: str) -> None:
    """Raise ``InvalidRequest`` for ``param``, the model ``name``, if vLLM is not installed."""
    try:
        import vllm  # noqa: F401
    except ImportError as error:
        role = param.replace("_", " ")
        message = (
            f"The {role} {name!r} is a model by name, which runs by vLLM in this process, but vLLM is not installed. "
            f"{how_to_install('vllm')} A server's address begins with http:// or https://."
        )
        raise InvalidRequest(message, param=param) from error
