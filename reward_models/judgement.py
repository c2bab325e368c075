"""What a judge wrote, and the probability of its verdict."""

import math
import re
from typing import Any

from epf.reward_models.completion_server import computed_tokens
from epf.reward_models.top_tokens import spelled

MIN_MASS = 0.01
"""Probability of both words together below which a token is no verdict."""

_VERDICT = re.compile(r"is the solution correct\?[\s*:]*(yes|no)\b", re.IGNORECASE)
_WORD = re.compile(r"\W*(yes|no)\b", re.IGNORECASE)


class Judgement:
    """One chat completion.

    Attributes:
        text: what the model wrote as its reply, or else as its thoughts.
        has_thought: whether it thinks before it replies.
        n_tokens: number of tokens that the server computed for it.

    Raises:
        ValueError: it is something else.
    """

    def __init__(self, answer: dict[str, Any]) -> None:
        try:
            (choice,) = answer["choices"]
            message = choice["message"]
            thoughts = _content(message.get("reasoning_content") or message.get("reasoning"))
            reply = _content(message.get("content"))
            tokens = (choice.get("logprobs") or {}).get("content") or []
            self._tokens = [
                (spelled(_content(token["token"])), _word_mass(token.get("top_logprobs") or [])) for token in tokens
            ]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError("something other than a chat completion") from error
        self.text = reply or thoughts
        self.has_thought = bool(thoughts) or "<think>" in reply
        self.n_tokens = computed_tokens(answer)

    def probability(self) -> float | None:
        """Probability of "Yes" at the verdict; None without a verdict."""
        verdicts = list(_VERDICT.finditer(self.text))
        if not verdicts:
            return None
        word = verdicts[-1][1]
        found = list(_VERDICT.finditer("".join(text for text, _ in self._tokens)))
        if found and found[-1][1].lower() == word.lower():
            end = 0
            for text, mass in self._tokens:
                end += len(text)
                if end > found[-1].start(1):
                    if sum(mass) > 0:
                        return mass[0] / sum(mass)
                    break
        return _observed(word)

    def forced_probability(self, after: str = "") -> float | None:
        """Probability of "Yes" where one word was asked for; None without such a word.

        ``after`` is a text that the reply continues, which some servers repeat.
        """
        for _, mass in self._tokens:
            if sum(mass) > MIN_MASS:
                return mass[0] / sum(mass)
        word = _WORD.match(self.text.removeprefix(after))
        return None if word is None else _observed(word[1])


def _observed(verdict: str) -> float:
    return 0.75 if verdict.lower() == "yes" else 0.25


def _word_mass(top: list[dict[str, Any]]) -> tuple[float, float]:
    """Probability of "Yes" and of "No" at one token."""
    mass = {"yes": 0.0, "no": 0.0}
    for other in top:
        word, log_prob = spelled(other["token"]).strip().lower(), other["logprob"]
        if word in mass and isinstance(log_prob, float | int) and not isinstance(log_prob, bool) and log_prob < MIN_MASS:
            mass[word] += math.exp(log_prob)
    return mass["yes"], mass["no"]


def _content(content: object) -> str:
    """Text of a message, which may come in parts."""
    if isinstance(content, list):
        return "".join(_content(part.get("text")) for part in content)
    if content is not None and not isinstance(content, str):
        raise TypeError
    return content or ""
