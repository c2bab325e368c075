"""A generator behind any OpenAI-compatible server: by token ids if the server supports them, as vLLM does, else by text.

By ids, nothing is tokenized twice: prompts are sent as ids, and steps come back as the ids that were sampled. Responses are
streamed, since a server notices at once that the client has left a stream, and stops. Steps after the same prefix share a
request (:mod:`epf.generators.openai.coalescer`).

By text, the ids of a prefix are spelled out, and the response is cut at the separator and tokenized here. The ids of a step
then need not be those that the server sampled, and there are no log probabilities. The first response decides between the two.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from epf.core.errors import ContextTooLong, GeneratorError, InvalidRequest, SearchServiceError
from epf.core.generator import Message, Sampling, Step
from epf.engines.http.connections import MAX_RESPONSE_BYTES
from epf.engines.http.errors import UpstreamRejected
from epf.engines.http.replicas import Upstream
from epf.engines.hub import model_directory
from epf.engines.onnx.config import read_json
from epf.engines.tokenizer import ChatTokenizer
from epf.generators.openai.coalescer import RequestCoalescer
from epf.generators.openai.completions import (
    Completion,
    check_spelling,
    completion_request,
    read_completions,
    step_of_ids,
    step_of_text,
)
from epf.generators.openai.discovery import ServedModel, find_model
from epf.generators.steps import step_limit

logger = logging.getLogger(__name__)

MAX_SEPARATORS_CACHED = 64
MAX_STOP_TOKENS = 1024
"""If more tokens contain a separator, it is sent as text only, or every request would be long."""

DEADLINE_S = 300.0
"""Deadline for all attempts at one step, in seconds."""

FIELDS = {"temperature": "temperature", "top_p": "top_p", "stop": "separator"}
"""Fields of a request that a server may reject, with our names for them."""

BYTES_PER_TOKEN = 1024
"""Maximum size of a response per token; vLLM needs about 500 bytes if it sends each token by itself."""


class OpenAiGenerator:
    """Samples steps from a server's ``/v1/completions``; see :class:`epf.core.generator.Generator`.

    Args:
        upstream: equivalent servers, closed with this object.
        tokenizer: tokenizer of the model that they serve.
        model: name of the model on the servers.
        context_length: maximum number of tokens of prompt and continuation together.
    """

    def __init__(self, upstream: Upstream, tokenizer: ChatTokenizer, model: str, context_length: int) -> None:
        self._upstream = upstream
        self._tokenizer = tokenizer
        self._model = model
        self._name = Path(model).name if model.startswith("/") else model
        self._context_length = context_length
        self._stops = lru_cache(maxsize=MAX_SEPARATORS_CACHED)(self._find_stops)
        self._coalescer = RequestCoalescer(self._sample_by_ids)
        self._supports_ids: bool | None = None

    @property
    def name(self) -> str:
        """Name of the model as a user would write it."""
        return self._name

    @property
    def context_length(self) -> int:
        """Maximum number of tokens of prompt and continuation together."""
        return self._context_length

    def prompt_ids(self, messages: Sequence[Message]) -> tuple[int, ...]:
        """Render a conversation with the model's chat template, ready for the assistant's first token."""
        return self._tokenizer.render(messages)

    def token_bytes(self, token_id: int) -> bytes:
        """Bytes that a token adds to the text: UTF-8 that may begin or end within a character; empty for special tokens."""
        return self._tokenizer.token_bytes(token_id)

    async def step(self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int) -> Step:
        """Sample one step after ``prefix_ids``; cancelling the call closes its connection, which stops the server.

        A step that breaks off is sampled again from the same seed, if another server or attempt allows it.
        """
        max_tokens = step_limit(
            prefix_ids,
            sampling,
            name=self._name,
            vocabulary=self._tokenizer.size,
            context_length=self._context_length,
        )
        sampling = replace(sampling, max_tokens=max_tokens)
        if self._supports_ids:
            return await self._coalescer.step(prefix_ids, sampling, seed)
        step = None if self._supports_ids is False else await self._try_by_ids(prefix_ids, sampling, seed)
        return await self._sample_by_text(prefix_ids, sampling, seed) if step is None else step

    async def ready(self) -> None:
        """Raise ``GeneratorError`` unless a server reports that it is healthy, or lists its models."""
        await self._upstream.ready("/health", "/v1/models")

    async def aclose(self) -> None:
        """Fail open calls and close the connections."""
        await self._upstream.aclose()

    async def _sample_by_ids(
        self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int, n: int, on_step: Callable[[int, Step], None]
    ) -> None:
        """Sample steps with ``n`` consecutive seeds, from a server that has returned ids before."""

        def on_completion(i: int, completion: Completion) -> None:
            if completion.token_ids is None:
                raise GeneratorError("The generator's server responded without token ids, although it returned them before.")
            on_step(i, step_of_ids(completion, completion.token_ids, prefix_ids, sampling.separator, self._tokenizer))

        body = completion_request(self._model, prefix_ids, sampling, sampling.max_tokens, seed, n)
        body |= self._stops(sampling.separator)
        read = partial(read_completions, on_completion=on_completion, n=n)
        try:
            await self._send(body, prefix_ids, read, n * sampling.max_tokens)
        except UpstreamRejected as rejected:
            raise self._error_of(rejected) from None

    async def _try_by_ids(self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int) -> Step | None:
        """Sample a step by ids; None if the response shows that the server supports only text."""
        body = completion_request(self._model, prefix_ids, sampling, sampling.max_tokens, seed)
        body |= self._stops(sampling.separator)
        try:
            completion = await self._send_one(body, prefix_ids, sampling.max_tokens)
        except UpstreamRejected as rejected:
            if self._supports_ids is None and _may_be_about_ids(rejected):
                return None
            raise self._error_of(rejected) from None
        if completion.token_ids is None:
            return None
        step = step_of_ids(completion, completion.token_ids, prefix_ids, sampling.separator, self._tokenizer)
        if self._supports_ids is None and check_spelling(completion.token_ids, completion.text, self._tokenizer):
            self._supports_ids = True
        return step

    async def _sample_by_text(self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int) -> Step:
        """Sample a step by text.

        The server generates beyond the separator and is left there, since few servers distinguish a stop at a text from the
        model's own end.
        """
        prompt = self._tokenizer.prompt_text(prefix_ids)
        body = completion_request(self._model, prompt, sampling, sampling.max_tokens, seed)
        try:
            completion = await self._send_one(body, prefix_ids, sampling.max_tokens, separator=sampling.separator)
        except UpstreamRejected as rejected:
            raise self._error_of(rejected) from None
        if completion.token_ids is not None:
            raise GeneratorError("The generator's server rejects this request by token ids, but accepts it as text.")
        if self._supports_ids is None:
            self._supports_ids = False
            logger.warning("The generator's server supports only text: steps have no log probabilities and cost it more.")
        return step_of_text(completion, prefix_ids, sampling.separator, sampling.max_tokens, self._tokenizer)

    async def _send_one(
        self, body: dict[str, Any], prefix_ids: tuple[int, ...], max_tokens: int, separator: str | None = None
    ) -> Completion:
        completions: list[Completion] = []

        async def read(events: AsyncIterator[dict[str, Any]]) -> None:
            completions.clear()
            await read_completions(events, lambda _, completion: completions.append(completion), separator=separator)

        await self._send(body, prefix_ids, read, max_tokens)
        return completions[0]

    async def _send(
        self,
        body: dict[str, Any],
        prefix_ids: tuple[int, ...],
        read: Callable[[AsyncIterator[dict[str, Any]]], Awaitable[None]],
        max_tokens: int,
    ) -> None:
        await self._upstream.stream(
            "/v1/completions",
            body,
            read,
            affinity=self._tokenizer.prompt_digest(prefix_ids),
            deadline_s=DEADLINE_S,
            max_bytes=MAX_RESPONSE_BYTES + BYTES_PER_TOKEN * max_tokens,
        )

    def _find_stops(self, separator: str) -> dict[str, Any]:
        """Where a step may end: at tokens, where vLLM stops at once, and at a text, which it notices one token later."""
        within = self._tokenizer.tokens_with(separator) if separator else ()
        ids = [*sorted(self._tokenizer.eos_ids), *(within if len(within) <= MAX_STOP_TOKENS else ())]
        return {"stop_token_ids": ids} | ({"stop": [separator]} if separator else {})

    def _error_of(self, rejected: UpstreamRejected) -> SearchServiceError:
        if rejected.too_long:
            return ContextTooLong(f"The prefix is longer than {self.name} or its server accepts.")
        if (field := FIELDS.get(str(rejected.error.get("param")))) is not None:
            return InvalidRequest(f"The generator's server rejects this {field}.", param=field)
        return GeneratorError(f"The generator's server rejected the request with status {rejected.status}.")


def _may_be_about_ids(rejected: UpstreamRejected) -> bool:
    return rejected.status in (400, 422) and not rejected.too_long and rejected.error.get("param") not in FIELDS


def load_openai(
    urls: Sequence[str],
    *,
    model: str | None = None,
    tokenizer: str | Path | None = None,
    api_key: str | None = None,
    timeout_s: float = 60.0,
) -> OpenAiGenerator:
    """Connect to equivalent servers and ask them for their model. Blocks, and needs a thread in which no event loop runs.

    Args:
        urls: base URLs of the servers.
        model: name of the model on the servers; required if they serve several.
        tokenizer: directory or hub name of the tokenizer, required if the model's name on the servers is neither.
        api_key: API key for the servers.
        timeout_s: maximum wait between chunks of a response, in seconds.

    Raises:
        GeneratorError: no server responds, or the servers do not have this model.
        InvalidRequest: the tokenizer does not exist.
        ValueError: a URL is invalid, the tokenizer has no chat template, or the length of the context is unknown.
    """

    def connect() -> Upstream:
        return Upstream(urls, GeneratorError, "the generator", api_key=api_key, timeout_s=timeout_s)

    async def discover() -> ServedModel:
        async with aclosing(connect()) as upstream:
            return await find_model(upstream, model)

    served = asyncio.run(discover())
    setting = "generator.tokenizer" if tokenizer else "generator.name"
    directory = model_directory(tokenizer or served.name, setting=setting)
    context_length = served.context_length or read_json(directory / "config.json").get("max_position_embeddings")
    if context_length is None:
        raise ValueError(f"Neither the server of {served.name} nor the tokenizer's config.json gives the context length.")
    return OpenAiGenerator(connect(), ChatTokenizer(directory), served.name, context_length)
