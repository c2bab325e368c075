"""``GET /metrics``."""

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from epf.service.http.dependencies import ServerMetrics
from epf.service.solve.schemas import ErrorBody

router = APIRouter(tags=["operations"])


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {"description": "Metrics in Prometheus' text format.", "content": {"text/plain": {"schema": {"type": "string"}}}},
        "default": {"model": ErrorBody, "description": "Any error"},
    },
)
async def metrics(metrics: ServerMetrics) -> Response:
    """Counters, gauges and histograms for Prometheus."""
    return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)
