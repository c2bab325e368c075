"""A generator behind a server that is asked by text: nothing of the model's tokenizer is needed here.

The conversation is sent as messages, and each step continues the last message of the assistant. The stream is read piece by
piece and left at the separator, since few servers say at which text they stopped. Token ids spell their own bytes
(:mod:`epf.generators.chat.ids`).

Many vocabularies have one token for a blank line that a model writes as two. A text that ends in a blank line would then be
tokenized differently from what the model wrote. So a separator that came in several pieces is left off, and is expected at the
beginning of the reply; if the reply begins otherwise, the whole text is sent. The same is done with all blank space at the end
where the server's chat template removes it.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from epf.core.bounded_cache import BoundedCache
from epf.core.errors import ContextTooLong, GeneratorError, InvalidRequest
from epf.core.generator import Abilities, Message, Sampling, Step
from epf.core.single_flight import SingleFlight
from epf.engines.http.dialect import Dialect
from epf.engines.http.kinds import NAMES, ServerKind
from epf.engines.http.replicas import Upstream
from epf.engines.http.wording import address
from epf.engines.known_markers import marker_in
from epf.engines.plain_marks import PlainMarks
from epf.generators.chat.continuing import Continuation
from epf.generators.chat.ids import END, is_id, message_id, spelled, split_prefix, token_bytes
from epf.generators.chat.reading import Reply
from epf.generators.chat.request import SPEAKERS, Prefix, Style
from epf.generators.chat.sampler import ChatSampler, prompt_digest
from epf.generators.chat.step_reading import SPECIAL, shown, step_of
from epf.generators.openai.coalescer import RequestCoalescer
from epf.generators.openai.completions import Cut
from epf.generators.openai.discovery import ServedModel

logger = logging.getLogger(__name__)

ASSUMED_CONTEXT = 4096
"""Number of tokens from which defaults are derived where the server does not give the length of its context."""

MAX_COUNTED_BYTES = 2**20
"""Maximum memory of the numbers of tokens of prompts, of which each takes the same."""

SPEAKER_MARKS = PlainMarks((f"\n\n{speaker}" for speaker in SPEAKERS.values()), ())
"""Begin turns where a conversation is sent as plain text."""


class ChatGenerator:
    """Samples steps by text; see :class:`epf.core.generator.Generator`.

    Args:
        upstream: equivalent servers, closed with this object.
        model: their model.
        continuation: how they continue a conversation.
        dialect: what they accept of a request by text.
    """

    def __init__(self, upstream: Upstream, model: ServedModel, continuation: Continuation, dialect: Dialect) -> None:
        self._sampler = ChatSampler(upstream, model, dialect)
        self._upstream = upstream
        self._model = model
        self._continuation = continuation
        self._coalescer = RequestCoalescer(self._sample, lambda: 1)
        self._thoughts_logged = False
        counted: BoundedCache[bytes, int | None] = BoundedCache(MAX_COUNTED_BYTES, lambda _digest, _n: 0)
        self._prompt_tokens = SingleFlight(counted)

    @property
    def name(self) -> str:
        """Name of the model as a user would write it."""
        return Path(self._model.name).name if self._model.name.startswith("/") else self._model.name

    @property
    def context_length(self) -> int:
        """Maximum number of tokens of prompt and continuation together, ``ASSUMED_CONTEXT`` if the server does not give it."""
        return self._model.context_length or ASSUMED_CONTEXT

    @property
    def description(self) -> str:
        """What was found out about the server."""
        length = self._model.context_length
        context = f"context of {length} tokens" if length else f"context unknown ({ASSUMED_CONTEXT} tokens assumed)"
        how = "by text without a tokenizer" + (", whole solutions only" if self._continuation.style is None else "")
        return f"{NAMES[self._model.server]} at {address(self._upstream.url)}, {how}, {context}"

    @property
    def abilities(self) -> Abilities:
        """What the server can do."""
        return Abilities(
            self._continuation.style is not None,
            counts_prompts=False,
            log_probs=self._continuation.log_probs,
            token_ids=False,
        )

    def prompt_ids(self, messages: Sequence[Message]) -> tuple[int, ...]:
        """One id for each message.

        Raises:
            InvalidRequest: a message has a marker of turns, or a role that the model's chat template does not read.
        """
        speakers = self._continuation.style == "text" and sum(message.role != "system" for message in messages) > 1
        for message in messages:
            _check_markers(message.content, speakers=speakers)
        if not self._continuation.reads_system and any(message.role == "system" for message in messages):
            raise InvalidRequest("The model's chat template reads no system message. Remove it.", param="messages")
        return tuple(map(message_id, messages))

    def token_bytes(self, token_id: int) -> bytes:
        """Bytes that a token adds to the text."""
        return token_bytes(token_id)

    async def step(self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int) -> Step:
        """Sample one step after ``prefix_ids``; cancelling the call closes its connection, which stops the server."""
        if sampling.max_tokens < 1:
            raise InvalidRequest(f"max_tokens is {sampling.max_tokens}. It must be at least 1.", param="max_tokens")
        if not all(map(is_id, prefix_ids)) or not split_prefix(prefix_ids)[0]:
            raise InvalidRequest("prefix_ids must begin with a message, and contain ids of this generator.", param="prefix_ids")
        return await self._coalescer.step(prefix_ids, sampling, seed)

    async def ready(self) -> None:
        """Raise ``GeneratorError`` unless a server reports that it is healthy, lists its models, or has a route for neither."""
        await self._upstream.ready("/health", "/v1/models", unknown=True)

    async def aclose(self) -> None:
        """Fail open calls and close the connections."""
        await self._upstream.aclose()

    async def _sample(
        self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int, n: int, on_step: Callable[[int, Step], None]
    ) -> None:
        assert n == 1
        messages, sampled = split_prefix(prefix_ids)
        style = self._continuation.style
        if SPECIAL.search(spelled(sampled).decode(errors="replace")):
            on_step(0, Step((END,), "", "eos"))  # the model has spelled a marker over two steps, which ends its turn
            return
        if sampled and style is None:
            raise GeneratorError(cannot_continue(self._model.server), retryable=False)
        digest = prompt_digest(messages)
        if sampled:
            counted, _ = await self._prompt_tokens.get(digest, lambda: self._count(messages, style or "plain"))
            sampling = replace(sampling, max_tokens=self._limit(sampling.max_tokens, (counted or 0) + len(sampled)))
        reply = await self._reply(messages, sampled, sampling, seed, style or "plain")
        step = step_of(reply, sampled, sampling.separator, sampling.max_tokens)
        if not sampled:
            known = step.prompt_tokens
            counted, _ = await self._prompt_tokens.get(digest, lambda: self._count(messages, style or "plain", known))
            step = replace(step, prompt_tokens=counted)
        on_step(0, step)

    async def _reply(
        self, messages: tuple[Message, ...], sampled: tuple[int, ...], sampling: Sampling, seed: int, style: Style
    ) -> Reply:
        """Reply to the first form of the prefix that the server continues as expected."""
        for attempt in attempts_at(sampled, sampling.separator, strips=self._continuation.strips is True):
            sent = attempt.written if self._continuation.repeats else ""
            show = None if sampling.on_text is None else partial(shown, sampling.on_text, sampling.separator)
            cut = Cut(sampling.separator, sampling.stop, sent + attempt.after, show)
            reply = await self._sampler.ask(
                Prefix(messages, attempt.written), style, sampling, sampling.max_tokens + len(attempt.after), seed, cut
            )
            if reply.thoughts and not self._thoughts_logged:
                self._thoughts_logged = True
                logger.warning("the server of the generator sends the model's thoughts apart from its text: no step has them")
            if sent:  # whether a server counts what it repeats is not known
                reply = replace(reply, counts=replace(reply.counts, sampled=None))
            if reply.end != "elsewhere":
                return reply
        raise GeneratorError(f"The generator's server did not repeat the message that it continued: {style}.")

    def _limit(self, max_tokens: int, n_prefix: int) -> int:
        """Maximum number of tokens of a step, as far as the context is known."""
        if self._model.context_length is None:
            return max_tokens
        room = self._model.context_length - n_prefix
        if room < 1:
            raise ContextTooLong(
                f"{n_prefix} tokens leave no room for a step: {self.name} has a context of {self._model.context_length} tokens."
            )
        return min(max_tokens, room)

    async def _count(self, messages: tuple[Message, ...], style: Style, known: int | None = None) -> int | None:
        """Number of tokens of a prompt by the server's count: what is ``known`` of it, or what a request for one token says."""
        if known is not None or not self._continuation.counts:
            return known
        return (await self._sampler.ask(Prefix(messages), style, Sampling(), 1, 0, Cut())).counts.prompt


@dataclass(frozen=True, slots=True)
class Attempt:
    """A form of a prefix: the text that is sent, and the text with which the reply is expected to begin."""

    written: str
    after: str = ""


def attempts_at(sampled: Sequence[int], separator: str, *, strips: bool) -> list[Attempt]:
    """Return the forms of a prefix, in the order in which they are tried."""
    written = spelled(sampled).decode(errors="replace")
    ending = written[len(written.rstrip()) :]
    if strips and ending:
        return [Attempt(written.rstrip(), ending), Attempt(written)]
    if separator and written.endswith(separator) and separator.encode() not in token_bytes(sampled[-1]):
        return [Attempt(written.removesuffix(separator), separator), Attempt(written)]
    return [Attempt(written)]


def _check_markers(content: str, *, speakers: bool) -> None:
    """Raise ``InvalidRequest`` for a message with a marker of turns. The server reads all text alike, wherever it comes from.

    ``speakers`` is whether the conversation is sent as plain text with the names of its speakers.
    """
    marker = marker_in(content) or (SPEAKER_MARKS.first_in(content) if speakers else None)
    if marker is not None:
        message = (
            f"A message contains {marker!r}, which the generator's server may read as the beginning or end of a turn. Remove"
            " it. Where EPF_GENERATOR__TOKENIZER names the model's tokenizer, it is ordinary text."
        )
        raise InvalidRequest(message, param="messages")


def cannot_continue(kind: ServerKind) -> str:
    """Why a server cannot take part in a search over steps, and what to do."""
    return (
        f"The generator's server ({NAMES[kind]}) answers chats, but does not continue the assistant's last message, so it "
        "cannot search step by step. Choose the method self_consistency, sample or best_of_n, or a server that continues: "
        "vLLM, SGLang, llama.cpp, Ollama, LM Studio, or any that offers /v1/completions."
    )
