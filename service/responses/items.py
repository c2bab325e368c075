"""The items of a conversation: what a request sends, and what ``GET /v1/responses/{id}/input_items`` lists."""

import re
import uuid
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, Field
from pydantic_core import PydanticCustomError

from epf.service.chat.request import text_of

MAX_ITEMS = 256
"""Maximum number of items of one request, checked before any of them is read. The server's limit of messages is lower."""

TEXT_PARTS = ("text", "input_text", "output_text")
ROLES = ("user", "assistant", "system", "developer")

SAFE_ID = re.compile("[A-Za-z0-9_-]{1,64}")

Speaker = Literal["user", "assistant", "system", "developer"]


def new_id(prefix: str) -> str:
    """A new id: ``resp_`` for a response, ``msg_`` for a message, ``rs_`` for reasoning."""
    return f"{prefix}_{uuid.uuid4().hex}"


@dataclass(frozen=True, slots=True)
class Item:
    """A message of the conversation."""

    id: str
    role: Speaker
    content: str


@dataclass(frozen=True, slots=True)
class Reference:
    """A message that the caller names by the id that it has in a stored response."""

    id: str


class InputText(BaseModel):
    """A part of a message's text."""

    type: Literal["input_text", "output_text"]
    text: str


class InputMessage(BaseModel):
    """A message, as a request sends it. ``developer`` means the same as ``system``."""

    type: Literal["message"] = "message"
    role: Speaker
    content: str | list[InputText] = Field(description="Text, or a list of text parts that are joined by line breaks.")


class ItemReference(BaseModel):
    """A message of a stored response, by its id."""

    type: Literal["item_reference"]
    id: str


class ListedText(BaseModel):
    """The text of a listed message."""

    type: Literal["input_text", "output_text"]
    text: str
    annotations: list[None] = Field(default=[], max_length=0, description="Always empty; only of an answer.")


class ListedMessage(BaseModel):
    """A message of the conversation behind a response."""

    id: str
    type: Literal["message"]
    role: Speaker
    status: Literal["completed"]
    content: list[ListedText]

    @classmethod
    def of(cls, item: Item) -> "ListedMessage":
        """The message as the OpenAI API lists it."""
        if item.role == "assistant":
            text = ListedText(type="output_text", text=item.content, annotations=[])
        else:
            text = ListedText(type="input_text", text=item.content)
        return cls(id=item.id, type="message", role=item.role, status="completed", content=[text])


class ItemList(BaseModel):
    """A page of the conversation behind a response."""

    object: Literal["list"]
    data: list[ListedMessage]
    first_id: str | None
    last_id: str | None
    has_more: bool


def parsed_input(value: Any) -> list[Item | Reference]:
    """The messages of ``input``, which is a text or a list; the first item that is not supported ends the check.

    Items that only repeat how an earlier answer came about (``reasoning``) are left out.
    """
    if isinstance(value, str):
        return [Item(new_id("msg"), "user", text_of(value))]
    if not isinstance(value, list) or not value:
        raise _refusal("it must be a text or a list of messages that is not empty")
    if len(value) > MAX_ITEMS:
        raise _refusal(f"it may have at most {MAX_ITEMS} items: send fewer")
    return [item for index, sent in enumerate(value) if (item := _item(sent, index)) is not None]


def _item(sent: Any, index: int) -> Item | Reference | None:
    if not isinstance(sent, dict):
        raise _refusal(f"item {index} must be an object: a message with role and content")
    kind, id, role = sent.get("type") or "message", sent.get("id"), sent.get("role")
    if kind == "reasoning":
        return None
    if kind == "item_reference":
        if not isinstance(id, str):
            raise _refusal(f"item {index} needs the id of a message")
        return Reference(id)
    if kind != "message":
        raise _refusal(f"item {index} is not a message: a search neither calls tools nor reads files, so leave it out")
    if role not in ROLES:
        raise _refusal(f"the role of item {index} must be one of {', '.join(ROLES)}")
    try:
        content = text_of(sent.get("content"), TEXT_PARTS)
    except PydanticCustomError as error:
        raise _refusal(f"the content of item {index}: {error.message()}") from None
    return Item(id if isinstance(id, str) and SAFE_ID.fullmatch(id) else new_id("msg"), role, content)


def _refusal(message: str) -> PydanticCustomError:
    return PydanticCustomError("unsupported_input", message)
