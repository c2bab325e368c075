"""Streamed responses of ``/v1/completions``: what a server sampled, in whatever shape it sends it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

from epf.core.errors import GeneratorError
from epf.engines.http.errors import RetryableError, StreamBrokeOff, UpstreamRejected
from epf.engines.http.numbers import is_log_prob
from epf.engines.http.sse import END_GRACE_S
from epf.generators.openai.top_tokens import NamedTokens, most_likely

End = Literal["separator", "stop", "length", "elsewhere"]

ENDS: dict[str, End] = {
    **dict.fromkeys(("stop", "eos", "eos_token", "end_turn", "stop_sequence", "stop_token", "complete", "completed"), "stop"),
    **dict.fromkeys(("content_filter", "safety", "refusal", "tool_calls", "function_call"), "stop"),
    **dict.fromkeys(("length", "max_tokens", "max_length", "max_new_tokens", "model_length", "token_limit"), "length"),
}
"""What the finish reasons of servers mean."""

GAVE_UP = frozenset({"abort", "aborted", "cancelled", "error", "load", "unload"})
"""Finish reasons of a server that gave up."""


Show = Callable[[str, Sequence[int] | None], None]


@dataclass(frozen=True, slots=True)
class Cut:
    """Where reading ends although the server goes on.

    Attributes:
        separator: text at which reading ends; empty for none.
        stop: other texts at which reading ends.
        after: text with which the response begins, which is not part of the completion; a response that begins otherwise is not
            read on.
        show: makes, for each response, a function that gets what was read so far: the text, and its token ids if there are any.
        on_tokens: gets the number of token ids read so far.
    """

    separator: str = ""
    stop: tuple[str, ...] = ()
    after: str = ""
    show: Callable[[], Show] | None = None
    on_tokens: Callable[[int], None] | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """What a server sampled.

    Attributes:
        text: all of it, or up to the event at which reading ended.
        token_ids: None if the server sends none.
        log_prob_ids: ids that the log probabilities name; None if they name none.
        pieces: text of each event, and the ids that its log probabilities name.
        log_probs: one for each token id, or empty.
        end: why it ended: at the server, at the ``separator``, or because it begins ``elsewhere`` than it should.
        stop_reason: text or token at which the server stopped, None at the model's own end.
        top: the most likely tokens at the position of each log probability, or empty.
    """

    text: str
    token_ids: tuple[int, ...] | None
    log_probs: tuple[float, ...]
    end: End
    stop_reason: str | int | None
    log_prob_ids: tuple[int, ...] | None = None
    pieces: tuple[tuple[str, tuple[int, ...]], ...] = ()
    top: tuple[NamedTokens, ...] = ()


async def read_completions(
    events: AsyncIterator[dict[str, Any]],
    on_completion: Callable[[int, Completion], None],
    *,
    n: int = 1,
    cut: Cut | None = None,
    needs_ids: bool = False,
    max_tokens: int,
    n_top: int = 0,
) -> None:
    """Read a streamed response with ``n`` choices and pass on each choice when it has ended.

    Args:
        events: JSON objects of the response.
        on_completion: gets the index of a choice and the choice.
        n: number of choices.
        cut: where reading ends before the server does.
        needs_ids: do not read on when a text comes without token ids.
        max_tokens: limit of the request, at which a choice without a finish reason was cut.
        n_top: number of most likely tokens to read at each position.

    Raises:
        GeneratorError: the response does not have ``n`` choices, or a choice is invalid.
        RetryableError: the server gave up, or the stream broke off.
    """
    choices = [Choice(cut or Cut(), needs_ids, n_top) for _ in range(n)]

    def read(event: dict[str, Any]) -> None:
        touched: list[int] = []
        for content in contents_of(event):
            index = content.get("index") or 0
            if type(index) is not int or not 0 <= index < n:
                raise GeneratorError(f"The generator's server sent a choice with index {index!r:.20} where {n} were requested.")
            if choices[index].add(content):
                touched.append(index)
        for index in touched:
            if choices[index].ended:
                on_completion(index, choices[index].completion())

    try:
        async for event in events:
            read(event)
            if any(choice.enough for choice in choices):
                return
            if all(choice.ended for choice in choices):
                await _read_on(events)
                return
    except StreamBrokeOff:
        if not all(choice.ended for choice in choices):
            raise
    for index, choice in enumerate(choices):
        if not choice.ended:
            if not choice.begun:
                raise GeneratorError("The generator's server did not return the requested number of choices.")
            choice.end_at(max_tokens)
            on_completion(index, choice.completion())


async def _read_on(events: AsyncIterator[dict[str, Any]]) -> None:
    """Read what follows the last choice, such as the usage, so that the connection can be reused."""
    with suppress(TimeoutError, RetryableError, UpstreamRejected):
        async with asyncio.timeout(END_GRACE_S):
            async for event in events:
                for content in contents_of(event):
                    if content.get("text"):
                        raise GeneratorError("The generator's server sent text after its finish reason.")


class Choice:
    """One choice as far as it was read; ``enough`` is set when the rest of the response is not needed."""

    def __init__(self, cut: Cut, needs_ids: bool, n_top: int = 0) -> None:
        self._cut = cut
        self._show = None if cut.show is None else cut.show()
        self._needs_ids = needs_ids
        self._text = ""
        self._token_ids: list[int] | None = None
        self._log_prob_ids: list[int] | None = None
        self._pieces: list[tuple[str, tuple[int, ...]]] = []
        self._log_probs: list[float] = []
        self._n_top = n_top
        self._top: list[NamedTokens] = []
        self._without_ids = False
        self._end: End | None = None
        self._finish = ""
        self._stop_reason: str | int | None = None
        self.begun = False
        self.enough = False

    @property
    def ended(self) -> bool:
        """Whether it has ended, at the server or where reading ends."""
        return self._end is not None

    def add(self, content: dict[str, Any]) -> bool:
        """Add the content of an event. Returns False for what a server repeats after the end."""
        text, ids = _text(content), _ids(content)
        if self.ended:
            if text or ids:
                raise GeneratorError("The generator's server sent text after its finish reason.")
            return False
        self.begun = True
        self._text += text
        if ids is not None:
            self._token_ids = [*(self._token_ids or []), *ids]
            if self._cut.on_tokens is not None:
                self._cut.on_tokens(len(self._token_ids))
        named, log_probs = _log_probs(content)
        self._log_probs += log_probs
        if self._n_top:
            self._top += _top(content, self._n_top)
        if named is not None:
            self._log_prob_ids = [*(self._log_prob_ids or []), *named]
            self._pieces.append((text, tuple(named)))
        self._without_ids = self._without_ids or (bool(text) and ids is None)
        if self._needs_ids and self._without_ids and self._log_prob_ids is None:
            self._end, self.enough = "stop", True
        elif (reached := self._reached()) is not None:
            self._end, self.enough = reached, True
        else:
            self._finish, self._stop_reason = _finish(content)
            self._end = _end_of(self._finish)
        if self._show is not None and text and self._end != "elsewhere" and self._text.startswith(self._cut.after):
            self._show(whole_characters(self._text[len(self._cut.after) :]), None if self._without_ids else self._token_ids)
        return True

    def end_at(self, max_tokens: int) -> None:
        """End a choice of a server that sends no finish reason."""
        n_tokens = len(self._token_ids or self._log_prob_ids or ())
        self._end = "length" if n_tokens >= max_tokens else "stop"

    def completion(self) -> Completion:
        """Return what was sampled; the choice has ended."""
        assert self._end is not None
        if self._cut.after and self._end != "elsewhere" and not self._text.startswith(self._cut.after):
            self._end = "elsewhere"
        ids = None if self._without_ids else self._token_ids
        counted = ids if ids is not None else self._log_prob_ids
        if counted is not None and len(self._log_probs) not in (0, len(counted)):
            raise GeneratorError("The generator's server returned different numbers of log probabilities and tokens.")
        return Completion(
            joined_halves(self._text.removeprefix(self._cut.after)),
            None if ids is None else tuple(ids),
            tuple(self._log_probs) if counted is not None else (),
            self._end,
            self._stop_reason,
            None if self._log_prob_ids is None else tuple(self._log_prob_ids),
            tuple(self._pieces),
            tuple(self._top) if counted is not None and len(self._top) == len(self._log_probs) else (),
        )

    def _reached(self) -> End | None:
        """Where reading ends, if it does."""
        after, text = self._cut.after, self._text
        if not text.startswith(after):
            return None if after.startswith(text) else "elsewhere"
        if self._cut.separator and text.find(self._cut.separator, len(after)) >= 0:
            return "separator"
        return "stop" if any(text.find(stop, len(after)) >= 0 for stop in self._cut.stop) else None


def contents_of(event: dict[str, Any]) -> list[dict[str, Any]]:
    """Choices in an event; many servers send events without any, such as the usage."""
    choices = event.get("choices")
    if choices is None:
        return []
    if not isinstance(choices, list) or not all(isinstance(choice, dict) for choice in choices):
        raise GeneratorError("The generator's server sent choices that are not a list of objects.")
    return choices


def _text(content: dict[str, Any]) -> str:
    text = content.get("text")
    if text is None and ("delta" in content or "message" in content):
        raise GeneratorError(
            "The generator's server responded in the format of chat completions. It must serve /v1/completions."
        )
    if text is not None and not isinstance(text, str):
        raise GeneratorError("The generator's server responded with a text that is not a string.")
    return text or ""


def _ids(content: dict[str, Any]) -> list[int] | None:
    ids = content.get("token_ids")
    if ids is not None and (not isinstance(ids, list) or not all(map(_is_id, ids))):
        raise GeneratorError("The generator's server returned invalid token ids.")
    return ids


def _log_probs(content: dict[str, Any]) -> tuple[list[int] | None, list[float]]:
    """Log probabilities, and the ids that they name, in the form of completions or in that of chat completions."""
    log_probs = content.get("logprobs")
    if not isinstance(log_probs, dict):
        return None, []
    tokens = log_probs.get("content")
    if isinstance(tokens, list) and all(isinstance(token, dict) for token in tokens):
        ids: list[Any] = [token.get("id") for token in tokens]
        values: Any = [token.get("logprob") for token in tokens]
    else:
        ids, values = [None], log_probs.get("token_logprobs") or []
    if not isinstance(values, list) or not all(map(is_log_prob, values)):
        raise GeneratorError("The generator's server returned log probabilities that are not numbers of at most 0.")
    return (ids if all(map(_is_id, ids)) else None), [float(value) for value in values]


def _top(content: dict[str, Any], n: int) -> list[NamedTokens]:
    """The most likely tokens at each position, in either form."""
    log_probs = content.get("logprobs")
    if not isinstance(log_probs, dict):
        return []
    tokens = log_probs.get("content")
    if isinstance(tokens, list) and all(isinstance(token, dict) for token in tokens):
        listed: Any = [token.get("top_logprobs") for token in tokens]
    else:
        listed = log_probs.get("top_logprobs")
    return [most_likely(one, n) for one in listed] if isinstance(listed, list) else []


def _is_id(value: object) -> bool:
    return type(value) is int and value >= 0


def _finish(content: dict[str, Any]) -> tuple[str, str | int | None]:
    """Finish reason, empty if the choice goes on, and where the server stopped; SGLang's own format has both in one object."""
    reason: Any = content.get("finish_reason")
    stopped_at: Any = content.get("stop_reason") or content.get("matched_stop")
    if isinstance(reason, dict):
        reason, stopped_at = reason.get("type"), reason.get("matched", stopped_at)
    if reason is not None and not isinstance(reason, str):
        raise GeneratorError(f"The generator's server ended its response with the finish reason {reason!r:.60}.")
    return reason or "", stopped_at if isinstance(stopped_at, str | int) else None


def _end_of(finish: str) -> End | None:
    if not finish:
        return None
    if finish.lower() in GAVE_UP:
        raise RetryableError(f"the server gave up with the finish reason {finish}", unreachable=True)
    if finish.lower() not in ENDS:
        raise GeneratorError(f"The generator's server ended its response with the unknown finish reason {finish!r:.60}.")
    return ENDS[finish.lower()]


def whole_characters(text: str) -> str:
    """Text so far, without half a character at its end whose other half may follow."""
    return joined_halves(text[:-1] if "\ud800" <= text[-1:] <= "\udbff" else text)


def joined_halves(text: str) -> str:
    """Text in which halves of characters that arrived one after the other are joined; a half without the other is replaced."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
