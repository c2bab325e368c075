"""Few-shot examples: a file of short conversations that a generator sees before each problem.

The file has JSON Lines with one example each: ``{"problem": "...", "solution": "..."}``, or ``{"messages": [...]}`` with
messages of the user and the assistant in turn.
"""

from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic_core import from_json

from epf.core.errors import InvalidRequest
from epf.core.generator import Message

MAX_EXAMPLES = 64
MAX_BYTES = 1024 * 1024
"""Maximum size of the file, far more than fits into a context next to a problem."""

PARAM = "generator.examples"

_Text = Annotated[str, StringConstraints(min_length=1, pattern=r"\S")]


class _Pair(BaseModel):
    model_config = ConfigDict(extra="forbid")

    problem: _Text
    solution: _Text


class _Turn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    role: Literal["user", "assistant"]
    content: _Text


class _Conversation(BaseModel):
    model_config = ConfigDict(extra="forbid")

    messages: Annotated[list[_Turn], Field(min_length=2)]


def read_examples(path: Path) -> tuple[Message, ...]:
    """Messages of all examples, in the order of the file.

    Raises:
        InvalidRequest: the file cannot be read, is too large, or a line is not an example; the message names line and field.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InvalidRequest(f"{PARAM}: {path}: {error.strerror}.", param=PARAM) from None
    if len(data) > MAX_BYTES:
        raise InvalidRequest(f"{PARAM}: {path} has more than {MAX_BYTES} bytes. Use fewer examples.", param=PARAM)
    lines = [(number, line) for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").splitlines(), 1) if line.strip()]
    if not 1 <= len(lines) <= MAX_EXAMPLES:
        raise InvalidRequest(f"{PARAM}: {path} has {len(lines)} examples. It must have 1 to {MAX_EXAMPLES}.", param=PARAM)
    return tuple(message for number, line in lines for message in _messages(line, f"{PARAM}: {path}, line {number}"))


def _messages(line: bytes, where: str) -> Iterator[Message]:
    """Messages of one example. Raises ``InvalidRequest``, whose message begins with ``where``."""
    try:
        row = from_json(line)
        if not isinstance(row, dict):
            raise _refusal(where, "it is not an object")
        if "messages" not in row:
            pair = _Pair.model_validate(row)
            yield Message("user", pair.problem)
            yield Message("assistant", pair.solution)
            return
        turns = _Conversation.model_validate(row).messages
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise _refusal(where, f"`{'.'.join(map(str, first['loc']))}`: {first['msg']}") from None
    except ValueError as error:
        raise _refusal(where, f"it is not valid JSON ({error})") from None
    if len(turns) % 2 or any(turn.role != role for turn, role in zip(turns, cycle(("user", "assistant")), strict=False)):
        raise _refusal(where, "the messages must be those of user and assistant in turn and end with the assistant")
    yield from (Message(turn.role, turn.content) for turn in turns)


def _refusal(where: str, reason: str) -> InvalidRequest:
    form = 'Write {"problem": "...", "solution": "..."} or {"messages": [{"role": "user", "content": "..."}, ...]}'
    return InvalidRequest(f"{where}: {reason}. {form}.", param=PARAM)
