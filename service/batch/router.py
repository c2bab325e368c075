"""``POST /solve/batch``."""

from fastapi import APIRouter, Response

from epf.service.batch.run import batch_of, frames
from epf.service.batch.schemas import BatchEvent, BatchRequest, error_frame
from epf.service.http.body import BoundedRoute
from epf.service.http.openapi import ANY_ERROR, event_stream
from epf.service.http.sse import EventStream
from epf.service.state import Caller, RequestId, RunningSearches, ServerSettings

router = APIRouter(tags=["search"], route_class=BoundedRoute)


@router.post(
    "/solve/batch",
    response_class=Response,
    responses={
        200: {
            "description": "Results in the order in which they finish; the last event is done or error.",
            "content": event_stream("An event of the batch.", BatchEvent),
        },
        **ANY_ERROR,
    },
)
async def solve_batch(
    body: BatchRequest, searches: RunningSearches, settings: ServerSettings, caller: Caller, request_id: RequestId
) -> Response:
    """Solve many problems, several at the same time. Results are sent as server-sent events in the order in which they finish.

    A problem that fails does not affect the others. The limits of a request and `max_seconds` apply to each problem. All
    searches are cancelled if the client disconnects.
    """
    batch = await batch_of(body, settings, searches.models)
    leasing = searches.lease(caller=caller, id=request_id, n_particles=batch.n_particles, max_seconds=None)
    events = frames(batch, leasing, id=request_id)
    return EventStream(events, error_frame, keep_alive_s=settings.keep_alive_s, send_timeout_s=settings.send_timeout_s)
