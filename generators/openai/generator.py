"""A generator behind any OpenAI-compatible server: by token ids where it speaks them, as vLLM does, else by text.

By ids nothing is tokenised twice: prompts go out as ids and steps come back as the ids that were sampled. Answers are streamed,
since a server sees at once that a stream has lost its reader, and stops. Steps after the same prefix share a request
(:mod:`epf.generators.openai.coalescer`).

By text, the ids of a prefix are spelled out, and the answer is cut at the separator and tokenised here. So the ids of a step
need not be those that the server sampled, and there are no log probabilities. Which it is the first answer tells.
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
from epf.engines.http.connections import MAX_ANSWER_BYTES
from epf.engines.http.errors import UpstreamRejected
from epf.engines.http.replicas import Upstream
from epf.engines.hub import model_directory
from epf.engines.onnx.config import read_json
from epf.engines.tokenizer import ChatTokenizer
from epf.generators.openai.affinity import Affinity
from epf.generators.openai.answers import check_spelling, sampled_step, written_step
from epf.generators.openai.coalescer import Twins
from epf.generators.openai.completions import Completion, read, request
from epf.generators.openai.served import Served, served_by
from epf.generators.steps import step_limit

logger = logging.getLogger(__name__)

SEPARATORS_KEPT = 64
MOST_STOPS = 1024
"""A separator that more tokens hold is told as a text alone, else every request would be long."""

DEADLINE_S = 300.0
"""For all tries of one step."""

FIELDS = {"temperature": "temperature", "top_p": "top_p", "stop": "separator"}
"""What a server may refuse of a request, by its name there and ours."""

BYTES_PER_TOKEN = 1024
"""An answer may have so many; vLLM takes about 500 where it tells of each token by itself."""


class OpenAiGenerator:
    """Samples steps from a server's ``/v1/completions``; see :class:`epf.core.generator.Generator`.

    Args:
        upstream: equal servers, closed with this object.
        tokenizer: of the model that they serve.
        served: its name there.
        context_length: most tokens of prompt and continuation together.
    """

    def __init__(
        self,
        upstream: Upstream,
        tokenizer: ChatTokenizer,
        served: str,
        context_length: int,
    ) -> None:
        self._upstream = upstream
        self._tokenizer = tokenizer
        self._served = served
        self._name = Path(served).name if served.startswith("/") else served
        self._context_length = context_length
        self._affinity = Affinity(tokenizer.render)
        self._stops = lru_cache(maxsize=SEPARATORS_KEPT)(self._find_stops)
        self._twins = Twins(self._by_ids)
        self._speaks_ids: bool | None = None

    @property
    def name(self) -> str:
        """Model name as a user would write it."""
        return self._name

    @property
    def context_length(self) -> int:
        """Most tokens of prompt and continuation together."""
        return self._context_length

    def prompt_ids(self, messages: Sequence[Message]) -> tuple[int, ...]:
        """Render a conversation with the model's chat template, ready for the assistant's first token."""
        return self._tokenizer.render(messages)

    def token_bytes(self, token_id: int) -> bytes:
        """What this token adds to the text, UTF-8 that may begin or end within a character; nothing for a special token."""
        return self._tokenizer.token_bytes(token_id)

    async def step(self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int) -> Step:
        """Sample one step after ``prefix_ids``; cancelling the call closes its connection, which ends it in the server.

        One that breaks off is drawn anew, from the same seed, where another server or a further try can.
        """
        max_tokens = step_limit(
            prefix_ids,
            sampling,
            name=self._name,
            vocabulary=self._tokenizer.size,
            context_length=self._context_length,
        )
        sampling = replace(sampling, max_tokens=max_tokens)
        if self._speaks_ids:
            return await self._twins.step(prefix_ids, sampling, seed)
        step = None if self._speaks_ids is False else await self._by_ids_perhaps(prefix_ids, sampling, seed)
        return await self._by_text(prefix_ids, sampling, seed) if step is None else step

    async def ready(self) -> None:
        """Raise GeneratorError unless a server says that it is well, or that it has models."""
        await self._upstream.ready("/health", "/v1/models")

    async def aclose(self) -> None:
        """Fail open calls and close the connections."""
        await self._upstream.aclose()

    async def _by_ids(
        self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int, n: int, told: Callable[[int, Step], None]
    ) -> None:
        """Steps with ``n`` seeds in a row, from a server that told ids before."""

        def read_one(i: int, answer: Completion) -> None:
            if answer.token_ids is None:
                raise GeneratorError("the generator's server answered without token ids, which it gave before")
            told(i, sampled_step(answer, answer.token_ids, prefix_ids, sampling.separator, self._tokenizer))

        body = request(self._served, prefix_ids, sampling, sampling.max_tokens, seed, n) | self._stops(sampling.separator)
        try:
            await self._ask(body, prefix_ids, partial(read, told=read_one, n=n), n * sampling.max_tokens)
        except UpstreamRejected as refused:
            raise self._as_ours(refused) from None

    async def _by_ids_perhaps(self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int) -> Step | None:
        """None where the server speaks text alone, as far as its answer tells."""
        body = request(self._served, prefix_ids, sampling, sampling.max_tokens, seed) | self._stops(sampling.separator)
        try:
            answer = await self._ask_one(body, prefix_ids, sampling.max_tokens)
        except UpstreamRejected as refused:
            if self._speaks_ids is None and _may_be_about_ids(refused):
                return None
            raise self._as_ours(refused) from None
        if answer.token_ids is None:
            return None
        step = sampled_step(answer, answer.token_ids, prefix_ids, sampling.separator, self._tokenizer)
        if self._speaks_ids is None and check_spelling(answer.token_ids, answer.text, self._tokenizer):
            self._speaks_ids = True
        return step

    async def _by_text(self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int) -> Step:
        """The server goes on beyond the separator, and is left there: few tell such a stop from the model's own end."""
        body = request(self._served, self._tokenizer.spelled(prefix_ids), sampling, sampling.max_tokens, seed)
        try:
            answer = await self._ask_one(body, prefix_ids, sampling.max_tokens, separator=sampling.separator)
        except UpstreamRejected as refused:
            raise self._as_ours(refused) from None
        if answer.token_ids is not None:
            raise GeneratorError("the generator's server refuses this request by token ids, and takes its text")
        if self._speaks_ids is None:
            self._speaks_ids = False
            logger.warning("the generator's server speaks text alone: steps have no log probabilities, and cost it more")
        return written_step(answer, prefix_ids, sampling.separator, sampling.max_tokens, self._tokenizer)

    async def _ask_one(
        self, body: dict[str, Any], prefix_ids: tuple[int, ...], max_tokens: int, separator: str | None = None
    ) -> Completion:
        answers: list[Completion] = []

        async def read_one(events: AsyncIterator[dict[str, Any]]) -> None:
            answers.clear()
            await read(events, lambda _, answer: answers.append(answer), separator=separator)

        await self._ask(body, prefix_ids, read_one, max_tokens)
        return answers[0]

    async def _ask(
        self,
        body: dict[str, Any],
        prefix_ids: tuple[int, ...],
        reader: Callable[[AsyncIterator[dict[str, Any]]], Awaitable[None]],
        max_tokens: int,
    ) -> None:
        await self._upstream.stream(
            "/v1/completions",
            body,
            reader,
            affinity=self._affinity(prefix_ids),
            deadline_s=DEADLINE_S,
            max_bytes=MAX_ANSWER_BYTES + BYTES_PER_TOKEN * max_tokens,
        )

    def _find_stops(self, separator: str) -> dict[str, Any]:
        """Where a step may end: at tokens, by which vLLM stops at once, and at a text, which it reads a token later."""
        within = self._tokenizer.tokens_with(separator) if separator else ()
        ids = [*sorted(self._tokenizer.eos_ids), *(within if len(within) <= MOST_STOPS else ())]
        return {"stop_token_ids": ids} | ({"stop": [separator]} if separator else {})

    def _as_ours(self, refused: UpstreamRejected) -> SearchServiceError:
        if refused.too_long:
            return ContextTooLong(f"the prefix is longer than {self.name}, or its server, takes")
        if (field := FIELDS.get(str(refused.error.get("param")))) is not None:
            return InvalidRequest(f"the generator's server takes no such {field}", param=field)
        return GeneratorError(f"the generator's server refused the request with status {refused.status}")


def _may_be_about_ids(refused: UpstreamRejected) -> bool:
    return refused.status in (400, 422) and not refused.too_long and refused.error.get("param") not in FIELDS


def load_openai(
    urls: Sequence[str],
    *,
    model: str | None = None,
    tokenizer: str | Path | None = None,
    api_key: str | None = None,
    timeout_s: float = 60.0,
) -> OpenAiGenerator:
    """Ask equal servers what they serve. Blocks, and needs a thread in which no event loop runs.

    Args:
        urls: their base addresses.
        model: its name there, needed where they serve several.
        tokenizer: directory of its tokenizer's files or its name on the hub, where its name there is neither.
        api_key: of the servers.
        timeout_s: in which the next part of an answer must be there.

    Raises:
        GeneratorError: no server answers, or it has no such model.
        InvalidRequest: there is no such tokenizer.
        ValueError: an address is none, the tokenizer has no chat template, or nothing tells the length of the context.
    """

    def connect() -> Upstream:
        return Upstream(urls, GeneratorError, "the generator", api_key=api_key, timeout_s=timeout_s)

    async def ask() -> Served:
        async with aclosing(connect()) as upstream:
            return await served_by(upstream, model)

    told = asyncio.run(ask())
    setting = "generator.tokenizer" if tokenizer else "generator.name"
    directory = model_directory(tokenizer or told.name, setting=setting)
    context_length = told.context_length or read_json(directory / "config.json").get("max_position_embeddings")
    if context_length is None:
        raise ValueError(f"neither {told.name}'s server nor the tokenizer's config.json tells how long the context is")
    return OpenAiGenerator(connect(), ChatTokenizer(directory), told.name, context_length)
