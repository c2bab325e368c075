"""Limits of one caller's requests and tokens per minute."""

from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import Field

NO_LIMIT: Final = "none"

Limit = Annotated[int, Field(ge=1, le=10**12)] | Literal["none"]
"""A limit per minute, or the word ``none``."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Maximum number of requests and of tokens per minute; None for no limit."""

    requests: int | None = None
    tokens: int | None = None


@dataclass(frozen=True, slots=True)
class OwnLimits:
    """What the keys file says of one caller; None where the server's settings apply."""

    requests: int | Literal["none"] | None = None
    tokens: int | Literal["none"] | None = None

    def on_top_of(self, defaults: Limits) -> Limits:
        """The limits that apply to this caller."""
        return Limits(_chosen(self.requests, defaults.requests), _chosen(self.tokens, defaults.tokens))


def _chosen(own: int | Literal["none"] | None, default: int | None) -> int | None:
    if own is None:
        return default
    return None if own == NO_LIMIT else own
