"""``/v1/completions`` as OpenAI-compatible servers speak it: what is asked, and what a streamed answer says."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from epf.core.errors import GeneratorError
from epf.core.generator import Sampling
from epf.engines.http.errors import RetryableError
from epf.engines.http.replicas import is_number

TOKENS_PER_EVENT = 16
"""A step is used whole, so vLLM may tell of several tokens at once."""

End = Literal["separator", "stop", "length"]


@dataclass(frozen=True, slots=True)
class Completion:
    """What a server sampled.

    Attributes:
        text: all of it, up to the event that held the separator where reading ended there.
        token_ids: None from a server that tells none. Asked by ids, no more of its answer is read then.
        log_probs: one per token id, or none.
        end: why it ended, in the server's words, or ``separator`` where reading ended there.
        stop_reason: the text or token at which vLLM stopped, None at the model's own end.
    """

    text: str
    token_ids: tuple[int, ...] | None
    log_probs: tuple[float, ...]
    end: End
    stop_reason: str | int | None


def request(
    model: str, prompt: Sequence[int] | str, sampling: Sampling, max_tokens: int, seed: int, n: int = 1
) -> dict[str, Any]:
    """Body of a request for ``n`` continuations, but for where to stop.

    What is not asked for is switched off: servers have their own defaults.
    Raw log probabilities are those at temperature 1. Where a step stops at a text, its last token is told whole.
    """
    body: dict[str, Any] = {
        "model": model,
        "prompt": prompt,
        "max_tokens": max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": -1,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "seed": seed,
        "stream": True,
        "stream_interval": TOKENS_PER_EVENT,
        "return_token_ids": True,
    }
    if not isinstance(prompt, str):
        body |= {"n": n, "logprobs": 0, "return_tokens_as_token_ids": True, "include_stop_str_in_output": True}
    return body


async def read(
    events: AsyncIterator[dict[str, Any]],
    told: Callable[[int, Completion], None],
    *,
    n: int = 1,
    separator: str | None = None,
) -> None:
    """Read a streamed answer with ``n`` choices and tell of each when it has ended.

    By ids it is read to its end, or to where it tells none; by text, given a separator, to where it holds that.

    Raises:
        GeneratorError: it is no answer with so many choices.
        RetryableError: the server gave up.
    """
    readings = [_Reading(separator) for _ in range(n)]
    async for event in events:
        touched: list[int] = []
        for choice in _choices(event):
            index = choice.get("index", 0)
            if type(index) is not int or not 0 <= index < n or readings[index].ended:
                raise _miscounted()
            readings[index].add(choice)
            touched.append(index)
        for index in touched:
            if readings[index].ended:
                told(index, readings[index].whole())
        if any(readings[index].left for index in touched):
            return
    if not all(reading.ended for reading in readings):
        raise GeneratorError("the generator's server ended its answer for no reason that is known")


class _Reading:
    """One choice as far as it was read; ``left`` tells that no more of it is wanted than was read."""

    def __init__(self, separator: str | None) -> None:
        self._separator = separator
        self._text = ""
        self._token_ids: list[int] | None = []
        self._log_probs: list[float] = []
        self._end: str | None = None
        self._stop_reason: str | int | None = None
        self.left = False

    @property
    def ended(self) -> bool:
        return self._end is not None

    def add(self, choice: dict[str, Any]) -> None:
        self._text += _text(choice)
        ids = choice.get("token_ids")
        if ids is None and self._separator is None:
            self._token_ids, self._log_probs, self._end, self.left = None, [], "stop", True
            return
        self._token_ids = None if self._token_ids is None or ids is None else [*self._token_ids, *_ids(ids)]
        self._log_probs += _log_probs(choice)
        if self._separator and self._separator in self._text:
            self._end, self.left = "separator", True
        else:
            self._end, self._stop_reason = choice.get("finish_reason"), choice.get("stop_reason")

    def whole(self) -> Completion:
        if self._end == "abort":
            raise RetryableError("the server gave the request up", unreachable=True)
        if self._end not in get_args(End):
            raise GeneratorError("the generator's server ended its answer for no reason that is known")
        if self._token_ids is not None and len(self._log_probs) not in (0, len(self._token_ids)):
            raise GeneratorError("the generator's server answered with more or fewer log probabilities than tokens")
        ids = None if self._token_ids is None else tuple(self._token_ids)
        return Completion(self._text, ids, tuple(self._log_probs), cast(End, self._end), self._stop_reason)


def _choices(event: dict[str, Any]) -> list[dict[str, Any]]:
    """What the event says of choices; an event that counts tokens says nothing."""
    choices = event.get("choices")
    if choices == [] and event.get("usage"):
        return []
    if not isinstance(choices, list) or not choices or not all(isinstance(choice, dict) for choice in choices):
        raise _miscounted()
    return choices


def _miscounted() -> GeneratorError:
    return GeneratorError("the generator's server did not answer with as many choices as were asked for")


def _text(choice: dict[str, Any]) -> str:
    text = choice.get("text")
    if not isinstance(text, str):
        raise GeneratorError("the generator's server answered without text")
    return text


def _ids(ids: object) -> list[int]:
    if not isinstance(ids, list) or not all(type(id_) is int and id_ >= 0 for id_ in ids):
        raise GeneratorError("the generator's server answered with token ids that are none")
    return ids


def _log_probs(choice: dict[str, Any]) -> list[float]:
    told = choice.get("logprobs")
    values = told.get("token_logprobs") if isinstance(told, dict) else []
    if not isinstance(values, list) or not all(map(is_number, values)):
        raise GeneratorError("the generator's server answered with log probabilities that are no finite numbers")
    return [float(value) for value in values]
