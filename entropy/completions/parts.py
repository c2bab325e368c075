"""Messages that consist of parts, as Mistral's reasoning models and some gateways send them: thoughts, then the answer."""

from typing import Any

from epf.entropy.completions.native import Row


def joined(message: Row) -> Row:
    """The message with its parts as ``content``, and the thoughts among them as ``reasoning``; any other message as it is."""
    parts = message.get("content")
    if not isinstance(parts, list):
        return message
    thoughts = "".join(text_of(part.get("thinking")) for part in parts if isinstance(part, dict))
    return {**message, "content": text_of(parts), "reasoning": message.get("reasoning") or thoughts}


def text_of(content: Any) -> str:
    """Text of a message or of one of its fields, which may consist of parts."""
    if isinstance(content, list):
        return "".join(part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str))
    return content if isinstance(content, str) else ""
