"""``GET /healthz`` and ``GET /readyz``: for whatever starts, stops and balances servers."""

from fastapi import APIRouter, Request

from epf.core.version import VERSION
from epf.service.solve.schemas import ErrorBody, Health, Ready

router = APIRouter(tags=["operations"])


@router.get("/healthz")
async def healthz() -> Health:
    """The process is alive. Says nothing of models or of other servers, and is answered to the end."""
    return Health(version=VERSION)


@router.get("/readyz", responses={"default": {"model": ErrorBody, "description": "STARTING, UNHEALTHY or DRAINING"}})
async def readyz(request: Request) -> Ready:
    """The server takes work, and its models would do it. Anything else is a 503 whose message begins with the state."""
    await request.app.state.readiness.check()
    models = request.app.state.lifecycle.models
    return Ready(version=VERSION, models={role: model.name for role, model in models.items()})
