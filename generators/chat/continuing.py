"""Finds out how a server continues the last message of the assistant, by asking it and not by its name.

Counts decide where a server has them: a message of one token that is continued adds one token to the prompt, while a new turn
adds the markers between turns as well. Some templates add more before any message of the assistant (an empty thought, for
example). Then, and where nothing is counted, the reply decides: it either goes on in the middle of a word, or it does not.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final

from epf.core.generator import Message
from epf.engines.http.errors import UpstreamRejected
from epf.engines.http.kinds import ServerKind
from epf.generators.chat.reading import Reply
from epf.generators.chat.request import Prefix, Style

NO_ROUTE: Final = frozenset({404, 405})
QUESTION: Final = (Message("user", "What is the capital of France?"),)
WORD: Final = "The capital of France is Par"
REST: Final = "is"
OUTPUT_LIMIT: Final = "output limit was reached"
"""Words of OpenAI's refusal where a model has thought to its limit. Such a model continues no message."""

BLANK_LINE: Final = "\n\n"

_FIRST: Final[dict[ServerKind, Style]] = {"vllm": "flags", "sglang": "flags", "tgi": "flags"}
_STYLES: Final[tuple[Style, ...]] = ("plain", "flags", "prefix")


Ask = Callable[[Prefix, Style, int], Awaitable[Reply]]
"""Returns the reply to a request for at most this number of tokens. What continues a message is sampled greedily.

Raises ``UpstreamRejected`` if the server refuses it.
"""


@dataclass(frozen=True, slots=True)
class Continuation:
    """How a server continues a conversation.

    Attributes:
        style: how it is asked to; None if it cannot.
        strips: whether blank space at the end of the assistant's message is lost; None if that is unknown.
        repeats: whether replies begin with the message that they continue.
        counts: whether replies have the server's count of the prompt's tokens.
        log_probs: whether replies have log probabilities.
        reads_system: whether the chat template writes what a system message holds.
    """

    style: Style | None
    strips: bool | None = None
    repeats: bool = False
    counts: bool = True
    log_probs: bool = False
    reads_system: bool = True


async def find_continuation(ask: Ask, kind: ServerKind) -> Continuation:
    """Return how a server of this kind continues.

    Raises:
        UpstreamRejected: the server answers neither chats nor texts.
    """
    try:
        alone = await ask(Prefix(QUESTION), "plain", 1)
    except UpstreamRejected as rejected:
        if OUTPUT_LIMIT in rejected.refusal.words:
            return Continuation(None)
        if rejected.refusal.status not in NO_ROUTE:
            raise
        alone = await _or_raise(lambda: ask(Prefix(QUESTION), "text", 1), rejected)
        return _described(alone, "text", strips=False)
    reads_system = await _reads_system(ask)
    first = _FIRST.get(kind, "plain")
    for style in (first, *(other for other in _STYLES if other != first)):
        try:
            found = await _try(ask, style, alone)
        except UpstreamRejected:
            continue
        if found is not None:
            return replace(found, reads_system=reads_system)
    return replace(_described(alone, None), reads_system=reads_system)


async def _reads_system(ask: Ask) -> bool:
    """Whether the chat template writes what a system message holds. Some refuse one, others leave it out."""
    try:
        short, long = [await ask(Prefix((Message("system", "Be brief." * n), *QUESTION)), "plain", 1) for n in (1, 9)]
    except UpstreamRejected:
        return False
    return short.counts.prompt is None or short.counts.prompt != long.counts.prompt


async def _try(ask: Ask, style: Style, alone: Reply) -> Continuation | None:
    """How the server continues in this style; None if it does not."""
    one = await ask(Prefix(QUESTION, "1"), style, 1)
    before, after = alone.counts.prompt, one.counts.prompt
    continues = before is not None and after is not None and after - before <= 1
    reply = (await ask(Prefix(QUESTION, WORD), style, 8)).text
    repeats = reply.startswith(WORD)
    if not continues and not repeats and not reply.startswith(REST):
        return None
    if after is None:
        return _described(alone, style, repeats=repeats)
    blank = (await ask(Prefix(QUESTION, f"1{BLANK_LINE}"), style, 1)).counts.prompt
    return _described(alone, style, strips=blank == after, repeats=repeats)


async def _or_raise(call: Callable[[], Awaitable[Reply]], rejected: UpstreamRejected) -> Reply:
    """What ``call`` returns; if the server has no such route either, ``rejected`` is raised."""
    try:
        return await call()
    except UpstreamRejected as other:
        raise (rejected if other.refusal.status in NO_ROUTE else other) from None


def _described(alone: Reply, style: Style | None, *, strips: bool | None = None, repeats: bool = False) -> Continuation:
    log_probs = bool(alone.pieces) and all(piece.log_prob is not None for piece in alone.pieces)
    return Continuation(style, strips, repeats, alone.counts.prompt is not None, log_probs)
