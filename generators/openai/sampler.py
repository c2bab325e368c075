"""Samples steps from a server in the way that the server supports, which its first response shows.

By ids, nothing is tokenized twice: prompts are sent as ids, and steps come back as the ids that were sampled. Some servers read
ids and name those that they sample only in their log probabilities; they do not say at which text they stopped, so their stream
is left at the separator. By text, the ids of a prefix are spelled out, and the response is cut at the separator and tokenized
here. The ids of a step then need not be those that the server sampled, and there are no log probabilities.

By text, a prefix is sent without the separator at its end if the server then continues with the separator: many vocabularies
have one token for a blank line where models write two line ends, so a text that ends in a blank line would not be tokenized as
the model wrote it. If the server continues otherwise, the whole prefix is sent.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterable
from functools import lru_cache, partial
from typing import Any

from epf.core.errors import ContextTooLong, GeneratorError, InvalidRequest, SearchServiceError
from epf.core.generator import Sampling, Step
from epf.engines.http.connections import MAX_RESPONSE_BYTES
from epf.engines.http.dialect import Dialect
from epf.engines.http.errors import UpstreamRejected
from epf.engines.http.replicas import Upstream
from epf.engines.tokenizer import ChatTokenizer
from epf.generators.openai.coalescer import MAX_STEPS
from epf.generators.openai.completions import Completion, Cut, read_completions
from epf.generators.openai.request import FIELDS, Mode, completion_request
from epf.generators.openai.step_reading import check_spelling, named_ids, step_of_ids, step_of_text
from epf.generators.so_far import StepSoFar
from epf.generators.steps import MAX_CHARACTER_BYTES, StepReader

logger = logging.getLogger(__name__)

MAX_SEPARATORS_CACHED = 64
MAX_STOP_TOKENS = 1024
"""If more tokens contain a separator, it is sent as text only, or every request would be long."""

WITHIN_CHARACTER = MAX_CHARACTER_BYTES - 1
"""Number of tokens that are sampled beyond the limit of a step where texts are read: a server sends no part of a character, so
the tokens of one that the limit cuts would be missing, and a step with less room than a character would be empty.
"""

DEADLINE_S = 300.0
"""Deadline for all attempts at one step, in seconds."""

BYTES_PER_TOKEN = 1024
"""Maximum size of a response per token; vLLM needs about 500 bytes if it sends each token by itself."""

CALLERS = {"temperature": "temperature", "top_p": "top_p", "stop": "separator"}
"""Fields that a caller sets, with our names for them."""

NO_ROUTE = frozenset({404, 405})
FAILED_BY_IDS = frozenset({500})
"""Statuses after which a server that may not read token ids is asked by text."""


class CompletionSampler:
    """Samples steps from ``/v1/completions``; several steps after one prefix at a time.

    Args:
        upstream: equivalent servers.
        tokenizer: tokenizer of the model that they serve.
        model: name of the model on the servers.
    """

    def __init__(self, upstream: Upstream, tokenizer: ChatTokenizer, model: str) -> None:
        self._upstream = upstream
        self._tokenizer = tokenizer
        self._model = model
        self._stops = lru_cache(maxsize=MAX_SEPARATORS_CACHED)(self._find_stops)
        self._dialect = Dialect("the generator", FIELDS)
        self._mode: Mode | None = None
        self._probing = asyncio.Lock()
        self._spelling_checked = False
        self._refuses_n = False

    @property
    def has_log_probs(self) -> bool | None:
        """Whether steps have log probabilities; None before the first response."""
        return None if self._mode is None else self._mode != "text" and self._dialect.has("logprobs")

    @property
    def by_ids(self) -> bool:
        """Whether the server is known to read and to return token ids."""
        return self._mode == "ids"

    def max_steps(self) -> int:
        """Maximum number of steps in one request."""
        return MAX_STEPS if self._mode in (None, "ids") and not self._refuses_n else 1

    async def sample(
        self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int, n: int, on_step: Callable[[int, Step], None]
    ) -> None:
        """Sample steps with ``n`` consecutive seeds. The first call finds out what the server supports."""
        first = 0
        if self._mode is None:
            async with self._probing:
                if self._mode is None:
                    on_step(0, await self._probe(prefix_ids, sampling, seed))
                    first = 1
        if self._mode == "ids" and not self._refuses_n and n - first > 1:
            try:
                await self._sample_by_ids(
                    prefix_ids, sampling, seed + first, n - first, lambda i, step: on_step(first + i, step)
                )
            except UpstreamRejected as rejected:
                if not rejected.refusal.named({"n"}):
                    raise self._error_of(rejected, prefix_ids, sampling) from None
                self._refuses_n = True
                logger.warning("the server of the generator does not accept the field n: each step takes a request of its own")
            else:
                return

        async def one(i: int) -> None:
            on_step(i, await self._sample_one(prefix_ids, sampling, seed + i))

        await _all(one(i) for i in range(first, n))

    async def _sample_one(self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int) -> Step:
        try:
            if self._mode == "text":
                return await self._sample_by_text(prefix_ids, sampling, seed)
            if self._mode == "log_prob_ids":
                return await self._sample_by_log_probs(prefix_ids, sampling, seed)
            steps: list[Step] = []
            await self._sample_by_ids(prefix_ids, sampling, seed, 1, lambda _, step: steps.append(step))
            return steps[-1]
        except UpstreamRejected as rejected:
            raise self._error_of(rejected, prefix_ids, sampling) from None

    async def _probe(self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int) -> Step:
        """Sample the first step, by ids if the server supports them, and remember how."""
        body = self._body(prefix_ids, sampling, seed, "ids") | {"logprobs": max(1, sampling.top_log_probs)}
        body |= {"stop_token_ids": self._stops(sampling.separator)["stop_token_ids"]}
        cut = self._cut(sampling, prefix_ids)
        try:
            completion = await self._send_one(body, prefix_ids, sampling, cut, needs_ids=True, lasting=FAILED_BY_IDS)
        except UpstreamRejected as rejected:
            if not _may_be_about_ids(rejected):
                raise self._error_of(rejected, prefix_ids, sampling) from None
            return await self._probe_by_text(prefix_ids, sampling, seed)
        if completion.token_ids is not None:
            self._mode = "ids"
            return self._step_of_ids(completion, prefix_ids, sampling)
        if named_ids(completion, self._tokenizer):
            self._mode = "log_prob_ids"
            return step_of_text(completion, prefix_ids, sampling.separator, sampling.max_tokens, self._tokenizer)
        return await self._probe_by_text(prefix_ids, sampling, seed)

    async def _probe_by_text(self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int) -> Step:
        """Sample the first step of a server that did not respond to ids. One that returns ids for a text does support them."""
        body = self._body(self._tokenizer.prompt_text(prefix_ids), sampling, seed, "text") | {"return_token_ids": True}
        cut = self._cut(sampling, prefix_ids)
        try:
            completion = await self._send_one(body, prefix_ids, sampling, cut)
        except UpstreamRejected as rejected:
            raise self._error_of(rejected, prefix_ids, sampling) from None
        if completion.token_ids is not None:
            self._mode = "ids"
            return await self._sample_one(prefix_ids, sampling, seed)
        self._mode = "text"
        logger.warning("The generator's server supports only text: steps have no log probabilities and cost it more.")
        return step_of_text(completion, prefix_ids, sampling.separator, sampling.max_tokens, self._tokenizer)

    async def _sample_by_ids(
        self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int, n: int, on_step: Callable[[int, Step], None]
    ) -> None:
        """Sample steps from a server that returns ids."""

        def on_completion(i: int, completion: Completion) -> None:
            on_step(i, self._step_of_ids(completion, prefix_ids, sampling))

        body = self._body(prefix_ids, sampling, seed, "ids", n) | self._stops(sampling.separator)
        if sampling.stop:
            body["stop"] = [*body.get("stop", []), *sampling.stop]
        cut = self._cut(sampling, prefix_ids, stops=not self._dialect.has("stop") and n == 1)
        read = partial(
            read_completions,
            on_completion=on_completion,
            n=n,
            cut=cut,
            needs_ids=True,
            max_tokens=sampling.max_tokens,
            n_top=sampling.top_log_probs,
        )
        await self._send(body, prefix_ids, read, n * _sized(sampling))

    async def _sample_by_log_probs(self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int) -> Step:
        """Sample a step from a server that reads ids and names those of its response in its log probabilities."""
        body = self._body(prefix_ids, sampling, seed, "log_prob_ids")
        body["max_tokens"] += WITHIN_CHARACTER
        completion = await self._send_one(body, prefix_ids, sampling, self._cut(sampling, prefix_ids))
        return step_of_text(completion, prefix_ids, sampling.separator, sampling.max_tokens, self._tokenizer)

    async def _sample_by_text(self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int) -> Step:
        """Sample a step by text, which is left at the separator: few servers distinguish a stop from the model's own end."""
        separator = sampling.separator
        try:
            text = self._tokenizer.prompt_text(prefix_ids)
        except InvalidRequest:
            if not self._tokenizer.eos_ids or self._tokenizer.ends_prompt(prefix_ids):
                raise
            # The model has spelled a special token over two steps, which ends its turn.
            return Step((min(self._tokenizer.eos_ids),), "", "eos")
        if separator and text.endswith(separator) and not self._tokenizer.ends_prompt(prefix_ids):
            prompt, cut = text.removesuffix(separator), self._cut(sampling, prefix_ids, after=separator)
            n_more = len(self._tokenizer.encode(separator))
            body = self._body(prompt, sampling, seed, "text")
            body["max_tokens"] += n_more + WITHIN_CHARACTER
            completion = await self._send_one(body, prefix_ids, sampling, cut)
            if completion.end != "elsewhere":
                return step_of_text(completion, prefix_ids, separator, sampling.max_tokens, self._tokenizer)
        body = self._body(text, sampling, seed, "text")
        body["max_tokens"] += WITHIN_CHARACTER
        completion = await self._send_one(body, prefix_ids, sampling, self._cut(sampling, prefix_ids))
        return step_of_text(completion, prefix_ids, separator, sampling.max_tokens, self._tokenizer)

    def _cut(self, sampling: Sampling, prefix_ids: tuple[int, ...], *, after: str = "", stops: bool = True) -> Cut:
        """Where reading ends, at texts only with ``stops``, and what shows the step meanwhile."""
        on_text, tokenizer = sampling.on_text, self._tokenizer

        def show() -> StepSoFar:
            assert on_text is not None
            reader = StepReader(prefix_ids, sampling.separator, tokenizer.turn_end_ids, tokenizer.token_bytes)
            return StepSoFar(on_text, reader, sampling.separator, tokenizer, sampling.max_tokens)

        separator, stop = (sampling.separator, sampling.stop) if stops else ("", ())
        return Cut(separator, stop, after, None if on_text is None else show, sampling.on_tokens)

    def _body(self, prompt: tuple[int, ...] | str, sampling: Sampling, seed: int, mode: Mode, n: int = 1) -> dict[str, Any]:
        return completion_request(self._model, prompt, sampling, sampling.max_tokens, seed, mode, n)

    def _step_of_ids(self, completion: Completion, prefix_ids: tuple[int, ...], sampling: Sampling) -> Step:
        if completion.token_ids is None:
            raise GeneratorError("The generator's server responded without token ids, although it returned them before.")
        step = step_of_ids(completion, completion.token_ids, prefix_ids, sampling.separator, self._tokenizer)
        if not self._spelling_checked:
            self._spelling_checked = check_spelling(completion.token_ids, completion.text, self._tokenizer)
        return step

    async def _send_one(
        self,
        body: dict[str, Any],
        prefix_ids: tuple[int, ...],
        sampling: Sampling,
        cut: Cut,
        *,
        needs_ids: bool = False,
        lasting: Collection[int] = (),
    ) -> Completion:
        completions: list[Completion] = []

        async def read(events: AsyncIterator[dict[str, Any]]) -> None:
            completions.clear()
            await read_completions(
                events,
                lambda _, completion: completions.append(completion),
                cut=cut,
                needs_ids=needs_ids,
                max_tokens=sampling.max_tokens,
                n_top=sampling.top_log_probs,
            )

        await self._send(body, prefix_ids, read, _sized(sampling), lasting)
        return completions[0]

    async def _send(
        self,
        body: dict[str, Any],
        prefix_ids: tuple[int, ...],
        read: Callable[[AsyncIterator[dict[str, Any]]], Coroutine[Any, Any, None]],
        max_tokens: int,
        lasting: Collection[int] = (),
    ) -> None:
        async def send(accepted: dict[str, Any]) -> None:
            await self._upstream.stream(
                "/v1/completions",
                accepted,
                read,
                affinity=self._tokenizer.prompt_digest(prefix_ids),
                deadline_s=DEADLINE_S,
                max_bytes=MAX_RESPONSE_BYTES + BYTES_PER_TOKEN * max_tokens,
                lasting=lasting,
                private=lambda: self._spelled(prefix_ids),
            )

        await self._dialect.send(body, send)

    def _find_stops(self, separator: str) -> dict[str, Any]:
        """Where a step may end: at tokens, where vLLM stops at once, and at a text, which it notices one token later."""
        within = self._tokenizer.tokens_with(separator) if separator else ()
        ids = [*sorted(self._tokenizer.turn_end_ids), *(within if len(within) <= MAX_STOP_TOKENS else ())]
        return {"stop_token_ids": ids} | ({"stop": [separator]} if separator else {})

    def _error_of(self, rejected: UpstreamRejected, prefix_ids: tuple[int, ...], sampling: Sampling) -> SearchServiceError:
        refusal = rejected.refusal
        if refusal.too_long:
            return ContextTooLong("The prefix is longer than the generator's model or its server accepts.")
        error = self._upstream.rejection(rejected, [self._spelled(prefix_ids), sampling.separator, *sampling.stop])
        if refusal.status in NO_ROUTE and not refusal.named({"model"}) and not refusal.code:
            message = (
                f"{error.message} The generator's server must offer /v1/completions; a server for chats alone is not supported."
            )
            return GeneratorError(message, retryable=False)
        named = refusal.named(CALLERS) if refusal.status in (400, 422) else []
        return InvalidRequest(error.message, param=CALLERS[named[0]]) if named else error

    def _spelled(self, ids: Iterable[int]) -> str:
        return b"".join(map(self._tokenizer.token_bytes, ids)).decode(errors="replace")


def _sized(sampling: Sampling) -> int:
    """Number of tokens as whose response one step counts: each further listed token takes less room than a sampled one."""
    return sampling.max_tokens * (1 + sampling.top_log_probs)


async def _all(tasks: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run all tasks; the first error cancels the others and is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            for task in tasks:
                group.create_task(task)
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None


def _may_be_about_ids(rejected: UpstreamRejected) -> bool:
    refusal = rejected.refusal
    return refusal.status in (400, 422, 500) and not refusal.too_long and not refusal.named(CALLERS)
