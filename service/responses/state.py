"""What the routes of responses share, apart from the state of the whole service."""

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, FastAPI, Request

from epf.service.responses.run import BackgroundRuns
from epf.service.responses.store import ResponseStore
from epf.service.settings import Settings


@dataclass(frozen=True)
class ResponsesState:
    """The responses of an application.

    Attributes:
        store: those that callers may read again.
        background: the searches without a connection.
    """

    store: ResponseStore
    background: BackgroundRuns = field(default_factory=BackgroundRuns)

    @classmethod
    def attach(cls, app: FastAPI, settings: Settings) -> "ResponsesState":
        """Give ``app`` a store with the bounds of the settings."""
        store = ResponseStore(
            max_responses=settings.max_stored_responses,
            max_bytes=settings.max_stored_bytes,
            max_age_s=settings.max_stored_seconds,
        )
        app.state.responses = state = cls(store)
        return state


async def _responses(request: Request) -> ResponsesState:
    state = request.app.state.responses
    assert isinstance(state, ResponsesState)
    return state


Responses = Annotated[ResponsesState, Depends(_responses)]
