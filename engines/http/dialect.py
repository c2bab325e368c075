"""What a server accepts of a request: a field that it refuses is sent in another form or left out, and that is remembered.

Servers that follow the same API differ in the fields that they know and in the values that they allow. A request is sent as it
is meant. If the server refuses it because of a field that can be spared, it is sent again without that field, as are all later
requests. What that changes is logged once. A field that the result depends on is never left out: then the refusal stands.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeVar

from epf.engines.http.errors import UpstreamRejected

logger = logging.getLogger(__name__)

T = TypeVar("T")

REFUSING_STATUSES = frozenset({400, 403, 422, 500})
"""Statuses with which servers refuse a field: 403 is OpenAI's for log probabilities of models that think; 500 comes where an
unknown field is an unexpected keyword argument of a function."""

NAMING_STATUSES = frozenset({403, 500})
"""Those that have other meanings too: only a refusal that names a field is about fields."""


@dataclass(frozen=True, slots=True)
class OptionalField:
    """A field that a request can do without.

    Attributes:
        loss: what the server does without it; empty if nothing changes.
        standard: whether OpenAI's API has the field. Where a refusal names no field, those that it lacks are left out.
        forms: other ways to send it, as name and value, which are tried before it is left out.
        group: other fields that have no meaning without it.
        neutral: the only value that can be left out; None for any.
        required: whether it is never left out, only sent in another form.
    """

    loss: str = ""
    standard: bool = False
    forms: tuple[Callable[[Any], tuple[str, Any]], ...] = ()
    group: tuple[str, ...] = ()
    neutral: float | None = None
    required: bool = False


class Dialect:
    """What equivalent servers accept.

    Args:
        owner: the model that they serve in words, for the log: "the reward model".
        fields: the fields that can be spared.
    """

    def __init__(self, owner: str, fields: Mapping[str, OptionalField]) -> None:
        self._owner = owner
        self._fields = MappingProxyType(dict(fields))
        self._levels: Mapping[str, int] = {}

    def has(self, name: str) -> bool:
        """Whether a field is sent."""
        return self._levels.get(name, 0) <= len(self._fields[name].forms)

    async def send(self, body: dict[str, Any], send: Callable[[dict[str, Any]], Awaitable[T]]) -> T:
        """Return what ``send`` returns for ``body``, or for as much of it as the server accepts.

        Raises ``UpstreamRejected`` if the server refuses that too.
        """
        levels = self._levels
        while True:
            sent, origins = self._form(body, levels)
            try:
                result = await send(sent)
            except UpstreamRejected as rejected:
                changed = self._without(rejected, origins, body, levels)
                if changed is None:
                    raise
                levels = changed
            else:
                self._remember(levels)
                return result

    def _form(self, body: dict[str, Any], levels: Mapping[str, int]) -> tuple[dict[str, Any], dict[str, str]]:
        """The fields to send, and for each of them the field of ``body`` that it stands for."""
        sent: dict[str, Any] = {}
        origins: dict[str, str] = {}
        for origin, value in body.items():
            level = levels.get(origin, 0)
            forms = self._fields[origin].forms if level else ()
            if level > len(forms):
                continue
            name, value = forms[level - 1](value) if level else (origin, value)
            sent[name], origins[name] = value, origin
        return sent, origins

    def _without(
        self, rejected: UpstreamRejected, origins: Mapping[str, str], body: Mapping[str, Any], levels: Mapping[str, int]
    ) -> Mapping[str, int] | None:
        """Levels at which the refused fields take their next form; None if the refusal is about something else."""
        refusal = rejected.refusal
        if refusal.status not in REFUSING_STATUSES or refusal.too_long:
            return None
        spare = {name: origin for name, origin in origins.items() if self._can_spare(origin, body[origin])}
        located = [spare[name] for name in refusal.fields if name in spare]
        named = refusal.named(origins.keys() - {"model"})  # many messages speak of "this model"
        refused = located or [spare[name] for name in named if name in spare]
        extensions = [origin for origin in refused if not self._fields[origin].standard]
        if located:
            chosen = located
        elif refused:
            chosen = extensions[:1] or refused[:1]
        elif named or refusal.status in NAMING_STATUSES:
            return None
        else:
            chosen = [origin for origin in spare.values() if not self._fields[origin].standard]
        chosen = [origin for origin in chosen if not self._at_last_form(origin, levels)]
        if not chosen:
            return None
        changed = dict(levels)
        for origin in dict.fromkeys(chosen):
            changed[origin] = self._next(origin, body[origin], levels) if refused else len(self._fields[origin].forms) + 1
            if changed[origin] > len(self._fields[origin].forms):
                changed |= {other: len(self._fields[other].forms) + 1 for other in self._fields[origin].group}
        return changed

    def _next(self, origin: str, value: Any, levels: Mapping[str, int]) -> int:
        """Level of the next form in which a field is sent otherwise; after the last form, the one at which it is left out."""
        level, forms = levels.get(origin, 0), self._fields[origin].forms
        sent = forms[level - 1](value) if level else (origin, value)
        return next((n for n, form in enumerate(forms[level:], level + 1) if form(value) != sent), len(forms) + 1)

    def _at_last_form(self, origin: str, levels: Mapping[str, int]) -> bool:
        """Whether a field that is required has no further form."""
        field = self._fields[origin]
        return field.required and levels.get(origin, 0) >= len(field.forms)

    def _can_spare(self, origin: str, value: object) -> bool:
        field = self._fields.get(origin)
        return field is not None and field.neutral in (None, value)

    def _remember(self, levels: Mapping[str, int]) -> None:
        """Keep what a successful request taught. Concurrent requests may learn the same."""
        for name, level in levels.items():
            if level > self._levels.get(name, 0):
                field = self._fields[name]
                if level > len(field.forms):
                    loss = field.loss or "nothing else changes"
                    logger.warning("the server of %s does not accept the field %s: %s", self._owner, name, loss)
                self._levels = {**self._levels, name: level}
