"""What a route may ask for. Coroutines, since FastAPI hands plain functions to threads."""

from typing import Annotated

from fastapi import Depends, Request

from epf.service.entropy.workers import Workers
from epf.service.operations.metrics import Metrics
from epf.service.searches.lease import Searches
from epf.service.searches.models import Models
from epf.service.settings import Settings


async def _models(request: Request) -> Models:
    request.app.state.lifecycle.check_loaded()
    models: Models = request.app.state.models
    return models


async def _searches(request: Request) -> Searches:
    request.app.state.lifecycle.check_loaded()
    searches: Searches = request.app.state.searches
    return searches


async def _workers(request: Request) -> Workers:
    workers: Workers = request.app.state.workers
    return workers


async def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


async def _metrics(request: Request) -> Metrics:
    metrics: Metrics = request.app.state.metrics
    return metrics


async def _caller(request: Request) -> str:
    """Name of the key that the request was let in with, set by the authentication middleware."""
    caller: str = request.scope["caller"]
    return caller


async def _request_id(request: Request) -> str:
    """The request's id, the caller's own if it is safe, set by the request id middleware."""
    request_id: str = request.scope["request_id"]
    return request_id


LoadedModels = Annotated[Models, Depends(_models)]
"""What the application's lifespan loaded; ``Overloaded`` until then."""
RunningSearches = Annotated[Searches, Depends(_searches)]
"""Where searches are run."""
HeavyWork = Annotated[Workers, Depends(_workers)]
"""Where heavy work is done."""
ServerSettings = Annotated[Settings, Depends(_settings)]
ServerMetrics = Annotated[Metrics, Depends(_metrics)]
Caller = Annotated[str, Depends(_caller)]
RequestId = Annotated[str, Depends(_request_id)]
