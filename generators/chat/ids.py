"""Token ids that spell their own bytes, for servers that are asked by text.

An id is an integer whose bytes are a mark and a content, so nothing has to be remembered to read it. A piece of sampled text is
its bytes, a message of the prompt its role and its text. Two ids stand for no text: the end of the turn, and a token that the
server counted without showing it.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from epf.core.errors import InvalidRequest
from epf.core.generator import Message, Role

_PIECE, _MESSAGE, _HIDDEN = b"\x01", b"\x02", b"\x03"
_ROLES: Final[dict[bytes, Role]] = {b"s": "system", b"u": "user", b"a": "assistant"}
_MARKS: Final[dict[Role, bytes]] = {role: mark for mark, role in _ROLES.items()}


def _id(data: bytes) -> int:
    return int.from_bytes(data, "big")


END: Final = _id(_PIECE)
"""The token that ended the model's turn."""

HIDDEN: Final = _id(_HIDDEN)
"""A token that was sampled and counted, but whose text is in no piece of its own."""


def piece_id(piece: bytes) -> int:
    """Return the id of a piece of sampled text, which is not empty."""
    return _id(_PIECE + piece)


def message_id(message: Message) -> int:
    """Return the id of a message of the prompt.

    Raises:
        InvalidRequest: its text has half a character, which no server reads.
    """
    try:
        return _id(_MESSAGE + _MARKS[message.role] + message.content.encode())
    except UnicodeEncodeError:
        raise InvalidRequest("A message has half a character (a lone surrogate). Remove it.", param="messages") from None


def token_bytes(token_id: int) -> bytes:
    """Bytes that an id adds to the sampled text."""
    data = _data(token_id)
    return data[1:] if data[:1] == _PIECE else b""


def message_of(token_id: int) -> Message | None:
    """Return the message that an id stands for; None if it stands for anything else."""
    data = _data(token_id)
    return Message(_ROLES[data[1:2]], data[2:].decode()) if data[:1] == _MESSAGE else None


def is_id(token_id: int) -> bool:
    """Whether an integer is an id of this kind."""
    data = _data(token_id) if token_id > 0 else b""
    return data[:1] in (_PIECE, _HIDDEN) or (data[:1] == _MESSAGE and data[1:2] in _ROLES)


def split_prefix(prefix_ids: Sequence[int]) -> tuple[tuple[Message, ...], tuple[int, ...]]:
    """Return the messages of the prompt and the sampled ids after them."""
    messages: list[Message] = []
    for token_id in prefix_ids:
        message = message_of(token_id)
        if message is None:
            break
        messages.append(message)
    return tuple(messages), tuple(prefix_ids[len(messages) :])


def spelled(token_ids: Iterable[int]) -> bytes:
    """Bytes that sampled ids spell."""
    return b"".join(map(token_bytes, token_ids))


def _data(token_id: int) -> bytes:
    return token_id.to_bytes((token_id.bit_length() + 7) // 8, "big")
