"""The state that the routes of an application share.

Dependencies are coroutines because FastAPI runs plain functions in threads.
"""

from dataclasses import dataclass, field
from typing import Annotated, Self

from fastapi import Depends, FastAPI, Request

from epf.service.access.keys import Keys
from epf.service.access.rate_limits import RateLimits
from epf.service.operations.lifecycle import Lifecycle
from epf.service.operations.metrics import Metrics, SearchMetrics
from epf.service.operations.readiness import Readiness
from epf.service.operations.workers import Workers
from epf.service.searches.admission import FairAdmission
from epf.service.searches.lease import Searches
from epf.service.settings import Settings


@dataclass(kw_only=True)
class ServerState:
    """State of every server."""

    settings: Settings
    metrics: Metrics
    lifecycle: Lifecycle = field(default_factory=Lifecycle)
    readiness: Readiness = field(init=False)
    keys: Keys = field(init=False)
    rate_limits: RateLimits = field(init=False)

    def __post_init__(self) -> None:
        self.readiness = Readiness(self.lifecycle)
        self.keys = Keys(self.settings.api_keys, self.settings.api_keys_file)
        self.rate_limits = RateLimits(self.settings.limits, self.keys.limits_of, self.metrics.rate_limited)
        self.metrics.watch_keys(lambda: self.keys.is_file_valid)

    def attach(self, app: FastAPI) -> None:
        """Make this the state of ``app``."""
        app.state.server = self

    @classmethod
    def of(cls, app: FastAPI) -> Self:
        """The state of ``app``."""
        state = app.state.server
        assert isinstance(state, cls)
        return state


@dataclass(kw_only=True)
class ServiceState(ServerState):
    """State of the search service.

    Attributes:
        workers: None before the application has started.
        searches: None until the models are loaded.
    """

    metrics: SearchMetrics
    admission: FairAdmission
    workers: Workers | None = None
    searches: Searches | None = None


async def _server(request: Request) -> ServerState:
    return ServerState.of(request.app)


async def _settings(request: Request) -> Settings:
    return ServerState.of(request.app).settings


async def _searches(request: Request) -> Searches:
    state = ServiceState.of(request.app)
    state.lifecycle.check_loaded()
    assert state.searches is not None
    return state.searches


async def _workers(request: Request) -> Workers:
    workers = ServiceState.of(request.app).workers
    assert workers is not None
    return workers


async def _caller(request: Request) -> str:
    caller: str = request.scope["caller"]
    return caller


async def _request_id(request: Request) -> str:
    request_id: str = request.scope["request_id"]
    return request_id


Server = Annotated[ServerState, Depends(_server)]
ServerSettings = Annotated[Settings, Depends(_settings)]
RunningSearches = Annotated[Searches, Depends(_searches)]
"""The searches of the service; raises ``Overloaded`` until the models are loaded."""
EntropyWorkers = Annotated[Workers, Depends(_workers)]
"""Processes for the entropy tools."""
Caller = Annotated[str, Depends(_caller)]
"""Name of the API key's owner, set by the authentication middleware."""
RequestId = Annotated[str, Depends(_request_id)]
"""Id of the request, set by the outermost middleware."""
