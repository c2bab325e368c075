"""Keeps keys, prompts and other private texts out of messages that repeat what a server said."""

import re
from collections.abc import Iterable

_SECRETS = (
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=*-]+"), r"\1 ***"),
    (re.compile(r"(?i)((?:api[ _-]?key|secret|password)(?: provided)?\s*[:=]\s*)['\"]?[^\s'\",.;]+['\"]?"), r"\1***"),
    (re.compile(r"\b(?:sk|pk|hf|gsk|xai|nvapi|pplx|r8|key)[-_][\w*-]{6,}|\bAIza[\w-]{10,}"), "***"),
    (re.compile(r"://[^/\s@]+@"), "://***@"),
    (re.compile(r"(?:\d+\s*,\s*){8,}\d*"), "… "),  # token ids
)

PASSAGE = 12
"""Number of characters from which a common passage counts as quoted."""


def without_private(text: str, secrets: Iterable[str], private: Iterable[str]) -> str:
    """Return ``text`` without keys, and without passages of ``private`` texts, such as a prompt that the server quotes."""
    for secret in filter(None, secrets):
        text = text.replace(secret, "***")
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return _without_passages(text, [passage for passage in private if passage])


def _without_passages(text: str, private: list[str]) -> str:
    parts: list[str] = []
    at = 0
    while at < len(text):
        length = max((_quoted(text, at, passage) for passage in private), default=0)
        parts.append("…" if length else text[at])
        at += length or 1
    return re.sub("…+", "…", "".join(parts))


def _quoted(text: str, at: int, passage: str) -> int:
    """Length of the longest passage of ``passage`` that ``text`` has at ``at``; 0 if it is too short to be a quotation."""
    least = min(PASSAGE, len(passage))
    if least < 4 or len(text) - at < least or text[at : at + least] not in passage:
        return 0
    length = least
    while at + length < len(text) and text[at : at + length + 1] in passage:
        length += 1
    return length


def texts_of(body: object) -> list[str]:
    """Texts in a request that a message must not repeat: all but names of fields and of the model."""
    if isinstance(body, str):
        return [body]
    if isinstance(body, dict):
        return [text for name, value in body.items() if name not in ("model", "role") for text in texts_of(value)]
    if isinstance(body, list) and not all(isinstance(item, int) for item in body):
        return [text for item in body for text in texts_of(item)]
    return []
