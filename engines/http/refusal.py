"""The error that a server sends when it refuses a request, whatever its shape.

OpenAI nests an object under ``error``; older vLLM and SGLang send that object bare; TGI, Ollama and LM Studio put a text there;
FastAPI sends ``detail``, a text or one entry for each invalid field; proxies send lists, double nesting, plain text or HTML.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from epf.engines.http.overflow import TOO_LONG_NAMES, means_too_long

MAX_WORDS = 1000
"""Maximum number of characters kept of a server's words."""

MAX_ERROR_BYTES = 2**16

TEMPORARY_STATUSES = frozenset({408, 409, 425, 429})
LASTING_STATUSES = frozenset({501, 505})
LASTING_CODES = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})
"""Sent with status 429, though waiting does not help."""

_LOADING = re.compile(
    r"\b(?:loading|load(?:s|ed)? (?:the )?model|not (?:yet )?(?:loaded|ready)|warming|starting|initiali[sz]ing)\b",
    re.IGNORECASE,
)
"""Words of llama.cpp ("Loading model"), of hosted services ("is currently loading") and of gateways in front of a server."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refusal.

    Attributes:
        status: HTTP status, or the code of an error within a stream.
        words: the server's message, in one line of at most ``MAX_WORDS`` characters; empty if it sends none.
        code, kind, param: the fields ``code``, ``type`` and ``param`` of OpenAI's errors; empty where missing.
        fields: fields of the request that a validation error locates.
    """

    status: int
    words: str = ""
    code: str = ""
    kind: str = ""
    param: str = ""
    fields: tuple[str, ...] = ()

    @property
    def too_long(self) -> bool:
        """Whether the request is longer than the model's context, or than the server accepts."""
        if self.status == 413:
            return True
        if self.status in (401, 403, 404, 405) or self.status in TEMPORARY_STATUSES:
            return False
        named = not TOO_LONG_NAMES.isdisjoint((self.code, self.kind, self.param))
        return named or means_too_long(self.words)

    @property
    def temporary(self) -> bool:
        """Whether the same request may succeed if it is sent again."""
        if self.too_long or not LASTING_CODES.isdisjoint((self.code, self.kind)):
            return False
        return self.status in TEMPORARY_STATUSES or (self.status >= 500 and self.status not in LASTING_STATUSES)

    @property
    def loading(self) -> bool:
        """Whether the server says that it is not ready yet, because it loads its model."""
        return self.status == 503 and _LOADING.search(self.words) is not None

    def named(self, fields: Collection[str]) -> list[str]:
        """Which of ``fields`` the refusal is about, those that it locates first, then in the order of its words."""
        located = [field for field in (*self.fields, self.param) if field in fields]
        found = [(match.start(), field) for field in fields if (match := _word(field).search(self.words))]
        return list(dict.fromkeys((*located, *(field for _, field in sorted(found)))))


def read_refusal(status: int, body: bytes) -> Refusal:
    """Read the body of a response with an error status."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        text = re.sub(r"<(style|script|head)\b.*?</\1>|<[^>]*>", " ", body.decode(errors="replace"), flags=re.DOTALL)
        return Refusal(status, _one_line(text))
    return refusal_of(status, value)


def refusal_of(status: int, value: object) -> Refusal:
    """Read an error from JSON."""
    nested = list(_nested(value))
    error = next((each for each in nested if _message(each)), nested[0])
    entries = _entries(error)
    locations = [_location(entry) for entry in entries]
    known: Mapping[str, Any] = error if isinstance(error, Mapping) else {}
    words = "; ".join(
        f"{'.'.join(loc)}: {_message(e)}" if loc else _message(e) for loc, e in zip(locations, entries, strict=True)
    )
    param = _text(known.get("param"))
    return Refusal(
        status,
        _one_line(words or _message(error)),
        _text(known.get("code")) or _text(known.get("error_type")),
        _text(known.get("type")),
        re.split(r"[.\[\]'\"]+", param.strip("]'\""))[-1],
        tuple(part for loc in locations for part in loc[-1:]),
    )


def _nested(value: object, depth: int = 4) -> Iterator[object]:
    """The innermost error first."""
    if isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, Mapping) and depth:
        several = value.get("errors")
        first = several[0] if isinstance(several, list) and several else several
        for inner in (value.get("error"), value.get("detail"), first):
            if isinstance(inner, Mapping):
                yield from _nested(inner, depth - 1)
    yield value


def _entries(error: object) -> list[Mapping[str, Any]]:
    """Entries of a validation error, one for each invalid field."""
    detail = error.get("detail") if isinstance(error, Mapping) else None
    return [entry for entry in detail if isinstance(entry, Mapping)] if isinstance(detail, list) else []


def _location(entry: Mapping[str, Any]) -> tuple[str, ...]:
    parts = entry.get("loc")
    return tuple(str(part) for part in parts if part != "body") if isinstance(parts, list) else ()


def _message(error: object) -> str:
    if isinstance(error, str):
        return error
    if not isinstance(error, Mapping):
        return ""
    named = (
        error.get(name) for name in ("message", "msg", "detail", "error", "error_description", "title", "reason", "errors")
    )
    for value in named:
        if isinstance(value, list) and value:
            return "; ".join(filter(None, map(_message, value)))
        if isinstance(value, str) and value.strip():
            return value
    return ""


def _text(value: object) -> str:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _one_line(text: str) -> str:
    words = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return words if len(words) <= MAX_WORDS else words[: MAX_WORDS - 1] + "…"


def _word(field: str) -> re.Pattern[str]:
    """The name of a field in running text; a single letter only where it can be nothing else."""
    name = re.escape(field)
    if len(field) > 1:
        return re.compile(rf"(?<![\w-]){name}(?![\w-])")
    return re.compile(rf"[`'\"]{name}[`'\"]|(?<![\w'-]){name}(?= (?:must|should|has to|cannot|is|parameter|param|>|=|<)|=|>)")
