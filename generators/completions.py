"""``/v1/completions`` as OpenAI-compatible servers speak it: what is asked, and what a streamed answer says."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from errors import GeneratorError
from generators.protocol import Sampling
from upstream.pool import is_number
from upstream.refused import Failed

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


def request(model: str, prompt: Sequence[int] | str, sampling: Sampling, max_tokens: int, seed: int) -> dict[str, Any]:
    """Body of a request, but for where to stop. What is not asked for is switched off: servers have their own defaults.

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
        body |= {"logprobs": 0, "return_tokens_as_token_ids": True, "include_stop_str_in_output": True}
    return body


async def read(events: AsyncIterator[dict[str, Any]], *, separator: str | None = None) -> Completion:
    """Read a streamed answer: by ids to its end, or to where it tells none; by text, given a separator, to where it holds that.

    Raises:
        GeneratorError: it is no answer with one choice.
        Failed: the server gave up.
    """
    text, end, stop_reason = "", "", None
    token_ids: list[int] | None = []
    log_probs: list[float] = []
    async for event in events:
        choice = _choice(event)
        if choice is None:
            continue
        text += _text(choice)
        ids = choice.get("token_ids")
        if ids is None and separator is None:
            return Completion(text, None, (), "stop", None)
        token_ids = None if token_ids is None or ids is None else [*token_ids, *_ids(ids)]
        log_probs += _log_probs(choice)
        if separator and separator in text:
            end = "separator"
            break
        end, stop_reason = choice.get("finish_reason") or end, choice.get("stop_reason", stop_reason)
    if end == "abort":
        raise Failed("the server gave the request up", unreachable=True)
    if end not in get_args(End):
        raise GeneratorError("the generator's server ended its answer for no reason that is known")
    if token_ids is not None and len(log_probs) not in (0, len(token_ids)):
        raise GeneratorError("the generator's server answered with more or fewer log probabilities than tokens")
    return Completion(text, None if token_ids is None else tuple(token_ids), tuple(log_probs), cast(End, end), stop_reason)


def _choice(event: dict[str, Any]) -> dict[str, Any] | None:
    """The only choice; None for an event that counts tokens and has none."""
    choices = event.get("choices")
    if choices == [] and event.get("usage"):
        return None
    if (
        not isinstance(choices, list)
        or len(choices) != 1
        or not isinstance(choices[0], dict)
        or choices[0].get("index", 0) != 0
    ):
        raise GeneratorError("the generator's server did not answer with one choice")
    return choices[0]


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
