"""The most likely next tokens in the responses of servers, and the log probabilities of two answers among them.

A language model that answers with one of two tokens is read from the distribution of its next token, of which servers return
the top. No two of them return it in the same shape, and they spell a token as its text (" +"), as bytes, as the vocabulary does
("Ġ+", "▁+"), or as its id ("token_id:43").

Sources: OpenAI's API reference (``logprobs`` of both routes), vLLM's ``return_tokens_as_token_ids``, llama.cpp
``tools/server/README.md`` (``completion_probabilities``; before December 2024 with ``probs`` and ``tok_str``), Ollama's
``docs/api.md`` (``logprobs`` since 0.12.11).
"""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

TOLERANCE = 0.01
"""By how much a bound in place of a missing probability may change the odds of the two answers."""

MIN_LOG_PROB = -9999.0
"""What servers send, or should, for a token that is out of the question: JSON has no infinity."""

_ID = re.compile(r"token_id:(\d+)")
_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_ALPHABETS = str.maketrans({"Ġ": " ", "▁": " ", "Ċ": "\n"})


@dataclass(frozen=True, slots=True)
class TopToken:
    """One of the most likely next tokens.

    Attributes:
        text: its text, with a space that it begins with; empty where the server sends its id instead.
        log_prob: NaN if the server sent no number.
        id: None if the server does not send it.
    """

    text: str
    log_prob: float
    id: int | None = None


class AnswersMissing(Exception):
    """The two answers are not both among the most likely tokens, and a bound for the missing one would not do."""


def read_top(answer: dict[str, Any]) -> list[TopToken]:
    """Return the most likely first tokens of a response; empty if it has no log probabilities.

    Raises:
        ValueError: it has some, in no known shape.
    """
    try:
        return _read(answer)
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        raise ValueError("log probabilities in an unknown shape") from error


def answer_log_probs(top: Sequence[TopToken], answers: Sequence[str], ids: Sequence[int] = ()) -> list[float]:
    """Return the log probabilities of ``answers``, two tokens as the vocabulary spells them, with these ``ids`` where known.

    Where the server spells tokens without the space that they begin with, tokens with and without it count together. An answer
    that is missing is at most as likely as the least likely token of the list. That bound is used for it where it cannot change
    the result.

    Raises:
        AnswersMissing: they are not both there.
        ValueError: the probability of an answer is no number.
    """
    found = _found(top, answers, ids)
    if any(math.isnan(value) or value > TOLERANCE for values in found for value in values):
        raise ValueError("log probabilities that are not finite numbers")
    sums = [max(_log_sum(values), MIN_LOG_PROB) if values else None for values in found]
    known = [value for value in sums if value is not None]
    if len(known) == len(sums):
        return known
    least = min((token.log_prob for token in top if token.log_prob <= TOLERANCE), default=math.inf)
    if not known or math.exp(least - max(known)) > TOLERANCE:
        raise AnswersMissing
    return [max(least, MIN_LOG_PROB) if value is None else value for value in sums]


def spelled(token: str) -> str:
    """Return the text of a token that may be written as its vocabulary does."""
    byte = _BYTE.fullmatch(token)
    return chr(int(byte[1], 16)) if byte else token.translate(_ALPHABETS)


def _found(top: Sequence[TopToken], answers: Sequence[str], ids: Sequence[int]) -> list[list[float]]:
    """Log probabilities of the tokens that stand for each answer, by the most exact way in which the list has any."""
    texts = [spelled(answer) for answer in answers]
    ways: list[Callable[[TopToken, int], bool]] = [
        lambda token, i: token.text == texts[i],
        lambda token, i: token.text.strip() == texts[i].strip(),
    ]
    if ids and any(token.id is not None for token in top):
        ways = [lambda token, i: token.id == ids[i]]
    for fits in ways:
        found = [[token.log_prob for token in top if fits(token, i)] for i in range(len(answers))]
        if any(found):
            return found
    return [[] for _ in answers]


def _read(answer: dict[str, Any]) -> list[TopToken]:
    if (native := answer.get("completion_probabilities") or _list(answer.get("logprobs"))) is not None:
        return _entries(native[0]) if native else []
    if "choices" not in answer and isinstance(answer.get("content"), str):
        return []  # llama.cpp's own route
    (choice,) = answer["choices"]
    log_probs = choice.get("logprobs")
    if not log_probs:
        return []
    content = log_probs.get("content")
    if content:
        return _entries(content[0])
    alternatives = log_probs.get("top_logprobs")
    if not alternatives or not alternatives[0]:
        return []
    listed = [_token(text, log_prob) for text, log_prob in alternatives[0].items()]
    return _with_sampled(listed, log_probs.get("tokens"), log_probs.get("token_logprobs"))


def _entries(position: dict[str, Any]) -> list[TopToken]:
    if (old := position.get("probs")) is not None:
        return [_token(entry["tok_str"], _log(entry["prob"])) for entry in old]
    entries = position.get("top_logprobs") or []
    return [_token(entry["token"], entry.get("logprob"), entry.get("id"), entry.get("bytes")) for entry in entries]


def _with_sampled(listed: list[TopToken], tokens: object, log_probs: object) -> list[TopToken]:
    """Two tokens of the same text share one entry of an object, which may be that of the less likely one."""
    if not (isinstance(tokens, list) and isinstance(log_probs, list) and tokens and log_probs):
        return listed
    sampled = _token(tokens[0], log_probs[0])
    if math.isnan(sampled.log_prob) or any(
        token.log_prob >= sampled.log_prob for token in listed if (token.text, token.id) == (sampled.text, sampled.id)
    ):
        return listed
    return [sampled, *(token for token in listed if (token.text, token.id) != (sampled.text, sampled.id))]


def _token(text: str, log_prob: object, id_: object = None, data: object = None) -> TopToken:
    value = _number(log_prob)
    named = _ID.fullmatch(text)
    if named:
        return TopToken("", value, int(named[1]))
    if isinstance(data, list) and data and all(type(byte) is int and 0 <= byte < 256 for byte in data):
        text = bytes(data).decode(errors="replace")
    return TopToken(spelled(text), value, id_ if type(id_) is int else None)


def _number(value: object) -> float:
    return float(value) if isinstance(value, float | int) and not isinstance(value, bool) else math.nan


def _log(probability: object) -> float:
    value = _number(probability)
    if not 0 <= value <= 1:
        return math.nan
    return math.log(value) if value else -math.inf


def _log_sum(values: Iterable[float]) -> float:
    values = list(values)
    most = max(values)
    return most if most == -math.inf else most + math.log(sum(math.exp(value - most) for value in values))


def _list(value: object) -> list[Any] | None:
    return value if isinstance(value, list) else None
