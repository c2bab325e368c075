"""The tokens behind an answer's text."""

import codecs
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from epf.core.generator import Step, TopTokens
from epf.search.result import Particle

MIN_LOG_PROB = -9999.0
"""Stands for any lower value and for NaN, because JSON has no infinity."""

PIECE_TOKENS = 16
"""Maximum number of tokens in one piece of a streamed answer."""


@dataclass(frozen=True, slots=True)
class Token:
    """One sampled token.

    Attributes:
        data: bytes that it adds to the text; they may begin or end within a character.
        text: characters that are complete once these bytes have been added.
        log_prob: None if the engine does not provide it.
        top: the most likely tokens at this position, if they were requested.
    """

    data: bytes
    text: str
    log_prob: float | None
    top: TopTokens = ()


def covering(particle: Particle, content: str, token_bytes: Callable[[int], bytes]) -> tuple[Token, ...]:
    """The shortest prefix of the tokens of ``particle`` whose text covers ``content``, with the last token cut at its end.

    Their texts and their bytes concatenate to ``content`` if the generator's text consists of its tokens' bytes.
    """
    tokens: list[Token] = []
    left = len(content)
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    sampled = [(step, i) for step in particle.steps for i in range(len(step.token_ids))]
    for n, (step, i) in enumerate(sampled, 1):
        if left == 0:
            break
        data = token_bytes(step.token_ids[i])
        text = decoder.decode(data, final=n == len(sampled))
        if len(text) > left:
            data, text = data[: max(0, len(data) - len(text[left:].encode()))], text[:left]
        left -= len(text)
        tokens.append(Token(data, text, _log_prob(step, i), *step.top_log_probs[i : i + 1]))
    return tuple(tokens)


def n_answer_tokens(particle: Particle, content: str, stop: Sequence[str], token_bytes: Callable[[int], bytes]) -> int:
    """Number of tokens of the returned answer: all of its particle, or those that cover the text if a stop text cut it."""
    if any(text in written(particle, token_bytes) for text in stop):
        return len(covering(particle, content, token_bytes))
    return sum(len(step.token_ids) for step in particle.steps)


def pieces(content: str, tokens: Sequence[Token]) -> list[tuple[str, Sequence[Token]]]:
    """``content`` in pieces of whole tokens, each of which ends with a line or has 16 tokens."""
    if "".join(token.text for token in tokens) != content:
        return [(content, tokens)]
    found: list[tuple[str, Sequence[Token]]] = []
    start = 0
    for end, token in enumerate(tokens, 1):
        if end == len(tokens) or end - start == PIECE_TOKENS or "\n" in token.text:
            found.append(("".join(t.text for t in tokens[start:end]), tokens[start:end]))
            start = end
    return found


def written(particle: Particle, token_bytes: Callable[[int], bytes]) -> str:
    """The text of all tokens of a particle."""
    return b"".join(token_bytes(token_id) for step in particle.steps for token_id in step.token_ids).decode(errors="replace")


def _log_prob(step: Step, i: int) -> float | None:
    if i >= len(step.log_probs):
        return None
    value = step.log_probs[i]
    return MIN_LOG_PROB if math.isnan(value) else max(MIN_LOG_PROB, value)
