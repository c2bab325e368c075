r"""From sampled token ids to a step: where it ends and what it spells, wherever its tokens split characters and separators.

Tokens are bytes. One token may hold a separator and more (``".\n\n"``), a separator may be spread over several tokens, and a
character of more than one byte may be split at the end of a step. Everything is therefore decided on bytes, which are decoded
last. The fields of :class:`epf.core.generator.Step` are defined here, for every generator.
"""

import codecs
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace

from epf.core.endings import certain
from epf.core.errors import ContextTooLong, InvalidRequest
from epf.core.generator import Finish, Sampling, Step, TopTokens

MAX_CHARACTER_BYTES = 4
"""Maximum number of bytes of a character in UTF-8."""


def step_limit(prefix_ids: tuple[int, ...], sampling: Sampling, *, name: str, vocabulary: int, context_length: int) -> int:
    """Return the maximum number of tokens of a step after ``prefix_ids``: what is requested, or what the context leaves.

    Raises:
        InvalidRequest: ``max_tokens`` is below 1, or the prefix is empty or has ids that the model does not know.
        ContextTooLong: the context leaves no room for a token.
    """
    if sampling.max_tokens < 1:
        raise InvalidRequest(f"max_tokens is {sampling.max_tokens}. It must be at least 1.", param="max_tokens")
    if not prefix_ids or min(prefix_ids) < 0 or max(prefix_ids) >= vocabulary:
        raise InvalidRequest(f"prefix_ids must contain at least one token id, each in 0..{vocabulary - 1}.", param="prefix_ids")
    room = context_length - len(prefix_ids)
    if room < 1:
        raise ContextTooLong(
            f"{len(prefix_ids)} tokens leave no room for a step: {name} has a context of {context_length} tokens."
        )
    return min(sampling.max_tokens, room)


class StepReader:
    """Reads one step token by token.

    Args:
        prefix_ids: tokens that the step follows.
        separator: text that ends the step; empty for none.
        eos_ids: tokens that end the model's turn.
        token_bytes: as :meth:`epf.core.generator.Generator.token_bytes`.
    """

    def __init__(
        self,
        prefix_ids: Sequence[int],
        separator: str,
        eos_ids: Collection[int],
        token_bytes: Callable[[int], bytes],
    ) -> None:
        self._separator = separator.encode()
        self._eos_ids = eos_ids
        self._token_bytes = token_bytes
        self._written = bytearray(_incomplete_character(prefix_ids, token_bytes))
        self._ids: list[int] = []
        self._end = -1

    def add(self, token_id: int) -> Finish | None:
        """Add the next token and return how it ends the step, None if it does not. Do not add to a step that has ended."""
        self._ids.append(token_id)
        if token_id in self._eos_ids:
            return "eos"
        searched = max(0, len(self._written) - len(self._separator) + 1)
        self._written += self._token_bytes(token_id)
        if self._separator:
            self._end = self._written.find(self._separator, searched)
        return "separator" if self._end >= 0 else None

    @property
    def text(self) -> str:
        """What a step that has not ended spells so far, without a character and a separator that it may have begun."""
        text = _complete_characters(self._written if self._end < 0 else self._written[: self._end])
        return certain(text, [self._separator.decode()]) if self._separator else text

    def step(self, finish: Finish, log_probs: Iterable[float] = (), top: Iterable[TopTokens] = ()) -> Step:
        """Return the step read so far; ``finish`` is what :meth:`add` returned, or ``length`` if it returned None.

        ``log_probs`` and ``top`` are those of its tokens, or empty.
        """
        ids = tuple(self._ids)
        if finish == "separator":
            rest = _complete_characters(self._written[self._end + len(self._separator) :])
            return Step(ids, _decode(self._written[: self._end]), finish, tuple(log_probs), rest, tuple(top))
        text = _complete_characters(self._written) if finish == "length" else _decode(self._written)
        return Step(ids, text, finish, tuple(log_probs), top_log_probs=tuple(top))


def read_step(
    sampled: Sequence[int],
    log_probs: Sequence[float],
    prefix_ids: Sequence[int],
    separator: str,
    eos_ids: Collection[int],
    token_bytes: Callable[[int], bytes],
    top: Sequence[TopTokens] = (),
) -> Step:
    """Return the step that ``sampled`` begins with, up to the first token that ends it; finish ``length`` if none does.

    ``log_probs`` and ``top`` are those of ``sampled``, or empty. Other arguments as for :class:`StepReader`.
    """
    reader = StepReader(prefix_ids, separator, eos_ids, token_bytes)
    for n, token_id in enumerate(sampled, 1):
        if finish := reader.add(token_id):
            return reader.step(finish, log_probs[:n], top[:n])
    return reader.step("length", log_probs, top)


def split_step(step: Step, separator: str, token_bytes: Callable[[int], bytes]) -> list[Step]:
    """Return the steps that a step sampled without a separator consists of; the last one ends as the whole did."""
    steps: list[Step] = []
    start = 0
    while separator and start < len(step.token_ids):
        reader = StepReader(step.token_ids[:start], separator, (), token_bytes)
        end, finish = len(step.token_ids), None
        for n, token_id in enumerate(step.token_ids[start:], start + 1):
            if finish := reader.add(token_id):
                end = n
                break
        steps.append(reader.step(finish or step.finish, step.log_probs[start:end], step.top_log_probs[start:end]))
        start = end
    if not steps:
        return [step]
    steps[0] = replace(steps[0], prompt_tokens=step.prompt_tokens)
    steps[-1] = replace(steps[-1], finish=step.finish)
    return steps


def _incomplete_character(ids: Sequence[int], token_bytes: Callable[[int], bytes]) -> bytes:
    """Bytes of the character that the last of ``ids`` begin and do not end."""
    data = b""
    for token_id in reversed(ids):
        if len(data) >= MAX_CHARACTER_BYTES:
            break
        data = token_bytes(token_id) + data
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    decoder.decode(data)
    return decoder.getstate()[0]


def _decode(data: bytes | bytearray) -> str:
    return bytes(data).decode(errors="replace")


def _complete_characters(data: bytes | bytearray) -> str:
    """Text of ``data`` without a character at its end that only another token can complete."""
    return codecs.getincrementaldecoder("utf-8")("replace").decode(bytes(data))
