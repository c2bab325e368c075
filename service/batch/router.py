"""``POST /solve/batch``."""

from fastapi import APIRouter, Response

from epf.service.batch.run import BatchEvent, BatchRequest, batch_of, failed, frames
from epf.service.http.dependencies import Caller, RequestId, RunningSearches, ServerSettings
from epf.service.http.openapi import event_stream
from epf.service.http.sse import EventStream
from epf.service.solve.schemas import ErrorBody

router = APIRouter(tags=["search"])


@router.post(
    "/solve/batch",
    response_class=Response,
    responses={
        200: {
            "description": "Results as they finish, the last event done or error.",
            "content": event_stream("A problem that is done with.", BatchEvent),
        },
        "default": {"model": ErrorBody, "description": "Any error"},
    },
)
async def solve_batch(
    body: BatchRequest, searches: RunningSearches, settings: ServerSettings, caller: Caller, request_id: RequestId
) -> Response:
    """Solve many problems, several at the same time; results come as server-sent events as they finish.

    A problem that fails does not fail the others. Limits of a request and max_seconds hold for each problem. A client that goes
    away ends all searches.
    """
    batch = batch_of(body, settings)
    room = searches.place(caller=caller, id=request_id, n_particles=batch.n_particles, max_seconds=None)
    return EventStream(
        frames(batch, room, id=request_id),
        failed,
        keep_alive_s=settings.keep_alive_s,
        send_timeout_s=settings.send_timeout_s,
    )
