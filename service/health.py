"""``GET /healthz``, ``GET /readyz`` and ``GET /metrics``: for programs that start, stop, balance and monitor servers."""

from typing import Literal

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, Field

from epf.core.version import VERSION
from epf.service.http.openapi import ANY_ERROR
from epf.service.http.schemas import ErrorBody
from epf.service.state import Server

router = APIRouter(tags=["operations"])


class Health(BaseModel):
    """The process is alive."""

    status: Literal["ok"] = "ok"
    version: str


class Ready(BaseModel):
    """The server accepts work, with these models."""

    status: Literal["HEALTHY"] = "HEALTHY"
    version: str
    models: dict[str, str] = Field(description="Name of each model, by its role.")


@router.get("/healthz")
async def healthz() -> Health:
    """Report that the process is alive, until it ends. Does not check the models or other servers."""
    return Health(version=VERSION)


@router.get("/readyz", responses={"default": {"model": ErrorBody, "description": "STARTING, UNHEALTHY or DRAINING"}})
async def readyz(server: Server) -> Ready:
    """Report whether the server accepts work and its models work. If not: 503 with a message that begins with the state."""
    await server.readiness.check()
    return Ready(version=VERSION, models={role: model.name for role, model in server.lifecycle.models.items()})


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {
            "description": "Metrics in the text format of Prometheus.",
            "content": {"text/plain": {"schema": {"type": "string"}}},
        },
        **ANY_ERROR,
    },
)
async def metrics(server: Server) -> Response:
    """Counters, gauges and histograms for Prometheus."""
    return Response(server.metrics.text(), media_type=CONTENT_TYPE_LATEST)
