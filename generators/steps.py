r"""From sampled token ids to a step: where it ends and what it says, whatever characters and separators its tokens cut through.

Tokens are bytes. One may hold a separator and more (``".\n\n"``), a separator may fall into several, and a character of more
than one byte may be cut where a step is. So all is decided over the bytes, and they are read as text last. What
:class:`epf.core.generator.Step` says of its fields is decided here, for every generator.
"""

import codecs
from collections.abc import Callable, Collection, Iterable, Sequence

from epf.core.generator import Finish, Step

LONGEST_CHARACTER = 4
"""Bytes of a character in UTF-8."""


class StepReader:
    """Reads one step token by token.

    Args:
        prefix_ids: what the step follows.
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
        self._written = bytearray(_begun_character(prefix_ids, token_bytes))
        self._ids: list[int] = []
        self._end = -1

    def add(self, token_id: int) -> Finish | None:
        """Take the next token; how it ends the step, None if it does not. Nothing may be added to a step that has ended."""
        self._ids.append(token_id)
        if token_id in self._eos_ids:
            return "eos"
        searched = max(0, len(self._written) - len(self._separator) + 1)
        self._written += self._token_bytes(token_id)
        if self._separator:
            self._end = self._written.find(self._separator, searched)
        return "separator" if self._end >= 0 else None

    def step(self, finish: Finish, log_probs: Iterable[float] = ()) -> Step:
        """The step as read so far; ``finish`` is what :meth:`add` said, ``length`` if it said nothing."""
        ids = tuple(self._ids)
        if finish == "separator":
            rest = _up_to_a_begun_character(self._written[self._end + len(self._separator) :])
            return Step(ids, _whole(self._written[: self._end]), finish, tuple(log_probs), rest)
        text = _up_to_a_begun_character(self._written) if finish == "length" else _whole(self._written)
        return Step(ids, text, finish, tuple(log_probs))


def read_step(
    sampled: Sequence[int],
    log_probs: Sequence[float],
    prefix_ids: Sequence[int],
    separator: str,
    eos_ids: Collection[int],
    token_bytes: Callable[[int], bytes],
) -> Step:
    """The step that ``sampled`` begins with, up to the first token that ends it; ``length`` if none does.

    ``log_probs`` are those of ``sampled``, or none. Other arguments as for :class:`StepReader`.
    """
    reader = StepReader(prefix_ids, separator, eos_ids, token_bytes)
    for n, token_id in enumerate(sampled, 1):
        if finish := reader.add(token_id):
            return reader.step(finish, log_probs[:n])
    return reader.step("length", log_probs)


def _begun_character(ids: Sequence[int], token_bytes: Callable[[int], bytes]) -> bytes:
    """Bytes of the character that the last of ``ids`` begin and do not end."""
    data = b""
    for token_id in reversed(ids):
        if len(data) >= LONGEST_CHARACTER:
            break
        data = token_bytes(token_id) + data
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    decoder.decode(data)
    return decoder.getstate()[0]


def _whole(data: bytes | bytearray) -> str:
    return bytes(data).decode(errors="replace")


def _up_to_a_begun_character(data: bytes | bytearray) -> str:
    """Text of ``data`` without the character at its end that only a further token can complete."""
    return codecs.getincrementaldecoder("utf-8")("replace").decode(bytes(data))
