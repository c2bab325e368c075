"""``/v1/completions`` of OpenAI-compatible servers: the request, the streamed response, and the step that it contains."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, cast, get_args

from epf.core.errors import GeneratorError
from epf.core.generator import Sampling, Step
from epf.engines.http.errors import RetryableError
from epf.engines.http.replicas import is_number
from epf.engines.tokenizer import ChatTokenizer
from epf.generators.steps import StepReader, read_step

TOKENS_PER_EVENT = 16
"""Only whole steps are used, so vLLM may send several tokens in one event."""

End = Literal["separator", "stop", "length"]


@dataclass(frozen=True, slots=True)
class Completion:
    """What a server sampled.

    Attributes:
        text: all of it, or up to the event that contains the separator if reading ended there.
        token_ids: None if the server sends none. If they were requested, the rest of such a response is not read.
        log_probs: one for each token id, or empty.
        end: why it ended: the server's finish reason, or ``separator`` if reading ended there.
        stop_reason: text or token at which vLLM stopped, None at the model's own end.
    """

    text: str
    token_ids: tuple[int, ...] | None
    log_probs: tuple[float, ...]
    end: End
    stop_reason: str | int | None


def completion_request(
    model: str, prompt: Sequence[int] | str, sampling: Sampling, max_tokens: int, seed: int, n: int = 1
) -> dict[str, Any]:
    """Return the body of a request for ``n`` continuations, without the fields that say where to stop.

    Servers have defaults of their own, so whatever is not wanted is switched off. The log probabilities are those at
    temperature 1. If a step stops at a text, the response includes the whole of its last token.
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


async def read_completions(
    events: AsyncIterator[dict[str, Any]],
    on_completion: Callable[[int, Completion], None],
    *,
    n: int = 1,
    separator: str | None = None,
) -> None:
    """Read a streamed response with ``n`` choices and pass on each choice when it has ended.

    Token ids are read to their end, or until an event has none. Text is read until it contains the separator, if one is given.

    Raises:
        GeneratorError: the response does not have ``n`` choices.
        RetryableError: the server gave up.
    """
    choices = [_Choice(separator) for _ in range(n)]
    async for event in events:
        touched: list[int] = []
        for content in _choices_of(event):
            index = content.get("index", 0)
            if type(index) is not int or not 0 <= index < n or choices[index].ended:
                raise _wrong_choices()
            choices[index].add(content)
            touched.append(index)
        for index in touched:
            if choices[index].ended:
                on_completion(index, choices[index].completion())
        if any(choices[index].enough for index in touched):
            return
    if not all(choice.ended for choice in choices):
        raise _unknown_end()


def step_of_ids(
    completion: Completion, ids: Sequence[int], prefix_ids: Sequence[int], separator: str, tokenizer: ChatTokenizer
) -> Step:
    """Return the step that ``ids`` begin with. The server may know more tokens that end the model's turn than ``tokenizer``.

    Raises:
        GeneratorError: there is no token, or the server stopped at a separator that the tokens do not spell.
    """
    if not ids:
        raise GeneratorError("The generator's server responded without a token.")
    reader = StepReader(prefix_ids, separator, tokenizer.eos_ids, tokenizer.token_bytes)
    for n, token_id in enumerate(ids, 1):
        if finish := reader.add(token_id):
            return reader.step(finish, completion.log_probs[:n])
    if completion.end == "stop" and separator and completion.stop_reason == separator:
        raise _wrong_tokenizer()
    return reader.step("eos" if completion.end == "stop" else "length", completion.log_probs)


def step_of_text(
    completion: Completion, prefix_ids: Sequence[int], separator: str, max_tokens: int, tokenizer: ChatTokenizer
) -> Step:
    """Return the step that the text begins with: what its first ``max_tokens`` tokens spell."""
    text, found, _ = completion.text.partition(separator) if separator else (completion.text, "", "")
    ids = tokenizer.encode(text + found)
    step = read_step(ids[:max_tokens], (), prefix_ids, separator, (), tokenizer.token_bytes)
    if step.finish == "separator" or completion.end != "stop" or len(ids) > max_tokens:
        return step
    return replace(step, finish="eos")


def check_spelling(ids: Sequence[int], text: str, tokenizer: ChatTokenizer) -> bool:
    """Check that ``ids`` spell the server's text. Returns False if there is nothing to compare, or a character is incomplete.

    Raises:
        GeneratorError: they spell something else.
    """
    spelled = b"".join(map(tokenizer.token_bytes, ids)).decode(errors="replace")
    if "\ufffd" in spelled + text or not text.strip():
        return False
    if not spelled.strip().startswith(text.strip()):
        raise _wrong_tokenizer()
    return True


class _Choice:
    """One choice as far as it was read; ``enough`` is set when the rest of the response is not needed."""

    def __init__(self, separator: str | None) -> None:
        self._separator = separator
        self._text = ""
        self._token_ids: list[int] | None = []
        self._log_probs: list[float] = []
        self._end: str | None = None
        self._stop_reason: str | int | None = None
        self.enough = False

    @property
    def ended(self) -> bool:
        return self._end is not None

    def add(self, content: dict[str, Any]) -> None:
        self._text += _text(content)
        ids = content.get("token_ids")
        if ids is None and self._separator is None:
            self._token_ids, self._log_probs, self._end, self.enough = None, [], "stop", True
            return
        self._token_ids = None if self._token_ids is None or ids is None else [*self._token_ids, *_ids(ids)]
        self._log_probs += _log_probs(content)
        if self._separator and self._separator in self._text:
            self._end, self.enough = "separator", True
        else:
            self._end, self._stop_reason = content.get("finish_reason"), content.get("stop_reason")

    def completion(self) -> Completion:
        if self._end == "abort":
            raise RetryableError("the server aborted the request", unreachable=True)
        if self._end not in get_args(End):
            raise _unknown_end()
        if self._token_ids is not None and len(self._log_probs) not in (0, len(self._token_ids)):
            raise GeneratorError("The generator's server returned different numbers of log probabilities and tokens.")
        ids = None if self._token_ids is None else tuple(self._token_ids)
        return Completion(self._text, ids, tuple(self._log_probs), cast(End, self._end), self._stop_reason)


def _choices_of(event: dict[str, Any]) -> list[dict[str, Any]]:
    """Choices in an event; an event that only counts tokens has none."""
    choices = event.get("choices")
    if choices == [] and event.get("usage"):
        return []
    if not isinstance(choices, list) or not choices or not all(isinstance(choice, dict) for choice in choices):
        raise _wrong_choices()
    return choices


def _text(content: dict[str, Any]) -> str:
    text = content.get("text")
    if not isinstance(text, str):
        raise GeneratorError("The generator's server responded without text.")
    return text


def _ids(ids: object) -> list[int]:
    if not isinstance(ids, list) or not all(type(id_) is int and id_ >= 0 for id_ in ids):
        raise GeneratorError("The generator's server returned invalid token ids.")
    return ids


def _log_probs(content: dict[str, Any]) -> list[float]:
    log_probs = content.get("logprobs")
    values = log_probs.get("token_logprobs") if isinstance(log_probs, dict) else []
    if not isinstance(values, list) or not all(map(is_number, values)):
        raise GeneratorError("The generator's server returned log probabilities that are not finite numbers.")
    return [float(value) for value in values]


def _wrong_choices() -> GeneratorError:
    return GeneratorError("The generator's server did not return the requested number of choices.")


def _unknown_end() -> GeneratorError:
    return GeneratorError("The generator's server ended its response without a known finish reason.")


def _wrong_tokenizer() -> GeneratorError:
    return GeneratorError("The tokenizer does not belong to the served model: its tokens do not spell the server's text.")
