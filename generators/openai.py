"""A generator behind any OpenAI-compatible server: by token ids where it speaks them, as vLLM does, else by text.

By ids nothing is tokenised twice: prompts go out as ids and steps come back as the ids that were sampled. Answers are streamed,
since a server sees at once that a stream has lost its reader, and stops.

By text, the ids of a prefix are spelled out, and the answer is cut at the separator and tokenised here. So the ids of a step
need not be those that the server sampled, and there are no log probabilities. Which it is the first answer tells.
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from embedded.config import read_json
from embedded.hub import model_directory
from embedded.tokenizer import ChatTokenizer
from errors import ContextTooLong, GeneratorError, InvalidRequest, SearchServiceError
from generators.affinity import Affinity
from generators.checks import step_limit
from generators.completions import Completion, read, request
from generators.protocol import Message, Sampling, Step
from generators.served import Served, served_by
from generators.steps import StepReader, read_step
from upstream.connections import MAX_ANSWER_BYTES
from upstream.pool import Upstream
from upstream.refused import Refused

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
    """Samples steps from a server's ``/v1/completions``; see :class:`generators.protocol.Generator`.

    Args:
        upstream: equal servers, closed with this object.
        tokenizer: of the model that they serve.
        served: its name there.
        context_length: most tokens of prompt and continuation together.
        deadline_s: for all tries of one step.
    """

    def __init__(
        self,
        upstream: Upstream,
        tokenizer: ChatTokenizer,
        served: str,
        context_length: int,
        *,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        self._upstream = upstream
        self._tokenizer = tokenizer
        self._served = served
        self._name = Path(served).name if served.startswith("/") else served
        self._context_length = context_length
        self._deadline_s = deadline_s
        self._affinity = Affinity(tokenizer.render)
        self._stops = lru_cache(maxsize=SEPARATORS_KEPT)(self._find_stops)
        self._by_ids: bool | None = None

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
        if self._by_ids is not False:
            try:
                completion = await self._ask(prefix_ids, prefix_ids, sampling, max_tokens, seed)
            except Refused as refused:
                if self._by_ids or refused.too_long or refused.status not in (400, 422):
                    raise self._as_ours(refused) from None
            else:
                if completion.token_ids is not None:
                    return self._sampled(completion, completion.token_ids, prefix_ids, sampling)
                if self._by_ids:
                    raise GeneratorError("the generator's server answered without token ids, which it gave before")
        try:
            completion = await self._ask(self._tokenizer.spelled(prefix_ids), prefix_ids, sampling, max_tokens, seed)
        except Refused as refused:
            raise self._as_ours(refused) from None
        if completion.token_ids is not None:
            raise GeneratorError("the generator's server refuses this request by token ids, and takes its text")
        if self._by_ids is None:
            self._by_ids = False
            logger.warning("the generator's server speaks text alone: steps have no log probabilities, and cost it more")
        return self._written(completion, prefix_ids, sampling, max_tokens)

    async def ready(self) -> None:
        """Raise GeneratorError if no server is well; costs no tokens and ends within seconds."""
        await self._upstream.ready()

    async def aclose(self) -> None:
        """Fail open calls and close the connections."""
        await self._upstream.aclose()

    async def _ask(
        self, prompt: Sequence[int] | str, prefix_ids: Sequence[int], sampling: Sampling, max_tokens: int, seed: int
    ) -> Completion:
        """``prompt`` is the prefix as the server reads it. Of a text it need not know where it ends: its reader does."""
        by_text = isinstance(prompt, str)
        body = request(self._served, prompt, sampling, max_tokens, seed) | ({} if by_text else self._stops(sampling.separator))
        return await self._upstream.stream(
            "/v1/completions",
            body,
            lambda events: read(events, sampling.separator if by_text else ""),
            affinity=self._affinity(prefix_ids),
            deadline_s=self._deadline_s,
            max_bytes=MAX_ANSWER_BYTES + BYTES_PER_TOKEN * max_tokens,
        )

    def _find_stops(self, separator: str) -> dict[str, Any]:
        """Where a step may end: at tokens, by which vLLM stops at once, and at a text, which it reads a token later."""
        within = self._tokenizer.tokens_with(separator) if separator else ()
        ids = [*sorted(self._tokenizer.eos_ids), *(within if len(within) <= MOST_STOPS else ())]
        return {"stop_token_ids": ids} | ({"stop": [separator]} if separator else {})

    def _sampled(self, completion: Completion, ids: tuple[int, ...], prefix_ids: Sequence[int], sampling: Sampling) -> Step:
        """The step out of the ids that were sampled. The server may know more tokens that end the model's turn than we do."""
        if not ids:
            raise GeneratorError("the generator's server answered without a token")
        if self._by_ids is None:
            self._check_spelling(ids, completion.text)
        reader = StepReader(prefix_ids, sampling.separator, self._tokenizer.eos_ids, self._tokenizer.token_bytes)
        for n, token_id in enumerate(ids, 1):
            if finish := reader.add(token_id):
                return reader.step(finish, completion.log_probs[:n])
        if completion.end == "stop" and sampling.separator and completion.stop_reason == sampling.separator:
            raise self._other_tokenizer()
        return reader.step("eos" if completion.end == "stop" else "length", completion.log_probs)

    def _written(self, completion: Completion, prefix_ids: Sequence[int], sampling: Sampling, max_tokens: int) -> Step:
        """The step out of the text that was sampled: what its tokens spell, at most ``max_tokens`` of them."""
        text, found, _ = completion.text.partition(sampling.separator) if sampling.separator else (completion.text, "", "")
        ids = self._tokenizer.encode(text + found)
        step = read_step(ids[:max_tokens], (), prefix_ids, sampling.separator, (), self._tokenizer.token_bytes)
        if step.finish == "separator" or completion.end != "stop" or len(ids) > max_tokens:
            return step
        return replace(step, finish="eos")

    def _check_spelling(self, ids: Sequence[int], text: str) -> None:
        """Once: that these tokens spell what the server says they do. Characters that are cut are left for the next time."""
        spelled = b"".join(map(self._tokenizer.token_bytes, ids)).decode(errors="replace")
        if "\ufffd" not in spelled + text and text.strip():
            if not spelled.strip().startswith(text.strip()):
                raise self._other_tokenizer()
            self._by_ids = True

    def _other_tokenizer(self) -> SearchServiceError:
        return GeneratorError(f"the tokenizer is not that of {self.name}: its tokens do not spell what the server wrote")

    def _as_ours(self, refused: Refused) -> SearchServiceError:
        if refused.too_long:
            return ContextTooLong(f"the prefix is longer than {self.name}, or its server, takes")
        if (field := FIELDS.get(str(refused.error.get("param")))) is not None:
            return InvalidRequest(f"the generator's server takes no such {field}", param=field)
        return GeneratorError(f"the generator's server refused the request with status {refused.status}")


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
    setting = "generator_tokenizer" if tokenizer else "generator_name"
    directory = model_directory(tokenizer or told.name, setting=setting)
    context_length = told.context_length or read_json(directory / "config.json").get("max_position_embeddings")
    if context_length is None:
        raise ValueError(f"neither {told.name}'s server nor the tokenizer's config.json tells how long the context is")
    return OpenAiGenerator(connect(), ChatTokenizer(directory), told.name, context_length)
