"""One request by text: what is sent, what comes back, and what a refusal means."""

from collections.abc import AsyncIterator, Collection, Sequence
from hashlib import blake2b
from typing import Any, Final

from epf.core.errors import ContextTooLong, InvalidRequest
from epf.core.generator import Message, Sampling
from epf.engines.http.connections import MAX_RESPONSE_BYTES
from epf.engines.http.dialect import Dialect
from epf.engines.http.errors import UpstreamRejected
from epf.engines.http.kinds import ServerKind
from epf.engines.http.replicas import Upstream
from epf.generators.chat.continuing import Continuation, find_continuation
from epf.generators.chat.reading import Reply, read_reply
from epf.generators.chat.request import ROUTES, Prefix, Style, request_of
from epf.generators.openai.completions import Cut
from epf.generators.openai.discovery import ServedModel
from epf.generators.openai.sampler import BYTES_PER_TOKEN, CALLERS, DEADLINE_S

FAILED_BY_FIELD: Final = frozenset({500})
"""Status with which some servers refuse what they do not know. It is not tried again until a request has been accepted."""

OWN_FIELDS: Final[dict[ServerKind, dict[str, Any]]] = {
    "llama.cpp": {"timings_per_token": True, "reasoning_format": "none"},
}
"""Fields that only one kind of server knows: counts while it samples, and thoughts as a part of the text."""


class ChatSampler:
    """Sends requests by text to equivalent servers, in the form that they accept.

    Args:
        upstream: the servers.
        model: their model.
        dialect: what they accept.
    """

    def __init__(self, upstream: Upstream, model: ServedModel, dialect: Dialect) -> None:
        self._upstream = upstream
        self._model = model.name
        self._limit = f" ({model.context_length} tokens)" if model.context_length else ""
        self._own = OWN_FIELDS.get(model.server, {})
        self._dialect = dialect
        self._accepted = False

    async def ask(self, prefix: Prefix, style: Style, sampling: Sampling, max_tokens: int, seed: int, cut: Cut) -> Reply:
        """Return the reply to one request, read up to ``cut``.

        Raises:
            ContextTooLong: the prefix is longer than the server accepts.
            InvalidRequest: the server refuses what the caller chose.
            GeneratorError: the server fails or refuses the request.
        """
        try:
            return await self.try_ask(prefix, style, sampling, max_tokens, seed, cut)
        except UpstreamRejected as rejected:
            refusal = rejected.refusal
            if refusal.too_long:
                raise ContextTooLong(
                    f"The prefix is longer than the generator's model or its server accepts{self._limit}."
                ) from None
            private = [prefix.written, *(message.content for message in prefix.messages), sampling.separator, *sampling.stop]
            error = self._upstream.rejection(rejected, private)
            named = refusal.named(CALLERS) if refusal.status in (400, 422) else []
            raise (InvalidRequest(error.message, param=CALLERS[named[0]]) if named else error) from None

    async def try_ask(
        self, prefix: Prefix, style: Style, sampling: Sampling, max_tokens: int, seed: int, cut: Cut, *, probing: bool = False
    ) -> Reply:
        """Like :meth:`ask`, but raises ``UpstreamRejected`` for a refusal; when ``probing``, also for one with status 500."""
        body = request_of(self._model, prefix, style, sampling, max_tokens, seed) | self._own
        lasting = FAILED_BY_FIELD if probing or not self._accepted else ()
        try:
            reply = await self._send(body, prefix, style, sampling.top_log_probs, max_tokens, cut, lasting)
        except UpstreamRejected as rejected:
            if probing or self._accepted or not rejected.refusal.temporary:
                raise
            reply = await self._send(body, prefix, style, sampling.top_log_probs, max_tokens, cut)
        self._accepted = True
        return reply

    async def _send(
        self,
        body: dict[str, Any],
        prefix: Prefix,
        style: Style,
        n_top: int,
        max_tokens: int,
        cut: Cut,
        lasting: Collection[int] = (),
    ) -> Reply:
        async def read(events: AsyncIterator[dict[str, Any]]) -> Reply:
            return await read_reply(events, cut, max_tokens, n_top)

        async def send(accepted: dict[str, Any]) -> Reply:
            return await self._upstream.stream(
                ROUTES[style],
                accepted,
                read,
                affinity=prompt_digest(prefix.messages).hex(),
                deadline_s=DEADLINE_S,
                max_bytes=MAX_RESPONSE_BYTES + BYTES_PER_TOKEN * max_tokens * (1 + n_top),
                lasting=lasting,
            )

        return await self._dialect.send(body, send)


async def ask_for_continuation(upstream: Upstream, model: ServedModel, dialect: Dialect) -> Continuation:
    """Find out how the servers continue a conversation, with at most twelve requests for a few tokens.

    Raises:
        GeneratorError: they answer neither chats nor texts.
    """
    sampler = ChatSampler(upstream, model, dialect)

    async def ask(prefix: Prefix, style: Style, max_tokens: int) -> Reply:
        # Some models accept no other temperature than 1, which is all the same where only tokens are counted.
        sampling = Sampling(temperature=0.0 if prefix.written else 1.0)
        return await sampler.try_ask(prefix, style, sampling, max_tokens, 0, Cut(), probing=True)

    try:
        return await find_continuation(ask, model.server)
    except UpstreamRejected as rejected:
        raise upstream.rejection(rejected, logged=False) from None


def prompt_digest(messages: Sequence[Message]) -> bytes:
    """A short key for a prompt, which may be long."""
    data = "\0".join(f"{message.role}\0{message.content}" for message in messages)
    return blake2b(data.encode(errors="replace"), digest_size=16).digest()
