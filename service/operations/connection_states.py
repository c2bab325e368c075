"""What a connection may be doing, and why it may be closed: labels of metrics."""

from typing import Final, Literal, TypeAlias

State: TypeAlias = Literal["idle", "waiting", "body", "busy"]
"""Between requests; waiting for the rest of a head, or for the client to read the end of a response; waiting for the body of a
request; working on a request.
"""

STATES: Final[tuple[State, ...]] = ("idle", "waiting", "body", "busy")

Closed: TypeAlias = Literal["idle", "head", "body", "send", "gave_way", "refused", "invalid"]
"""Why a connection was closed: a time limit, room for another, no room for itself, or because it sent no valid request."""
