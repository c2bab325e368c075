"""What the routes of kept searches share, apart from the state of the whole service."""

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, FastAPI, Request

from epf.core.errors import InvalidRequest, NotFound
from epf.search.runner import SearchRequest
from epf.service.history.recording import recording
from epf.service.history.store import SearchStore
from epf.service.operations.metrics import SearchMetrics
from epf.service.searches.lease import Follower, unrecorded
from epf.service.settings import Settings


@dataclass(frozen=True)
class HistoryState:
    """The kept searches of an application. ``store`` is None for a server that keeps none."""

    store: SearchStore | None

    @classmethod
    def attach(cls, app: FastAPI, settings: Settings, metrics: SearchMetrics) -> "HistoryState":
        """Give ``app`` the store of the settings.

        Raises:
            InvalidRequest: the file cannot be used, or there are limits but no file.
        """
        if settings.store is None and settings.store_limits.model_fields_set:
            message = "EPF_STORE_LIMITS has no effect without EPF_STORE: name a file there, or leave the limits out"
            raise InvalidRequest(message, param="store_limits")
        private_prompt = settings.search.system_prompt
        store = (
            None
            if settings.store is None
            else SearchStore(settings.store, settings.store_limits, private_prompt=private_prompt, count=metrics.stored)
        )
        app.state.history = state = cls(store)
        return state

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep searches within the block, if at all."""
        async with nullcontext() if self.store is None else self.store.running():
            yield

    def record(self, request: SearchRequest, caller: str, request_id: str) -> AbstractContextManager[Follower]:
        """Follow one search; see :data:`epf.service.searches.lease.Recording`."""
        if self.store is None:
            return unrecorded(request, caller, request_id)
        return recording(request, caller, request_id, keep=self.store.keep)


async def _store(request: Request) -> SearchStore:
    state = request.app.state.history
    assert isinstance(state, HistoryState)
    if state.store is None:
        raise NotFound("This server keeps no searches: start it with EPF_STORE=searches.db to keep those to come.")
    return state.store


KeptSearches = Annotated[SearchStore, Depends(_store)]
"""The kept searches; raises ``NotFound`` on a server that keeps none."""
