"""An id for each search, which its requests to models' servers carry, so that a router sends them to the same engine.

The id is random and no secret. Routers in front of engines read it from a header of their own choice: the session routing of
vLLM's production stack has one to configure, and other gateways hash any header.
"""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

HEADERS: Final = ("X-Session-ID",)

_headers: tuple[str, ...] = HEADERS
_current: ContextVar[str | None] = ContextVar("session", default=None)


def use_headers(names: Sequence[str]) -> None:
    """Send the id in these headers, from now on and in the whole process."""
    global _headers
    _headers = tuple(names)


@contextmanager
def search_session() -> Iterator[str]:
    """Give the search of the block an id of its own."""
    session_id = uuid.uuid4().hex
    token = _current.set(session_id)
    try:
        yield session_id
    finally:
        _current.reset(token)


def session_headers() -> dict[str, str]:
    """Headers for a request of the current search; empty outside of any."""
    session_id = _current.get()
    return {} if session_id is None else dict.fromkeys(_headers, session_id)
