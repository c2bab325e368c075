"""``POST /solve`` and ``DELETE /solve/{id}``."""

from contextlib import AbstractAsyncContextManager

from fastapi import APIRouter, Request, Response

from epf.core.errors import NotFound
from epf.core.off_loop import off_loop
from epf.search.runner import SearchRequest
from epf.service.http.body import BoundedRoute
from epf.service.http.disconnect import cancel_on_disconnect
from epf.service.http.openapi import ANY_ERROR, event_stream
from epf.service.http.sse import EventStream
from epf.service.searches.lease import Lease
from epf.service.searches.resolve import check_length, resolve
from epf.service.solve.events import SolveEvent, error_frame, frames
from epf.service.solve.schemas import CancelResponse, SolveRequest, SolveResponse, n_log_probs
from epf.service.state import Caller, RequestId, RunningSearches, ServerSettings

router = APIRouter(tags=["search"], route_class=BoundedRoute)


@router.post(
    "/solve",
    response_model=SolveResponse,
    response_model_exclude_unset=True,
    responses={
        200: {
            "description": "The answer. With `stream`, one event per event of the search; the last one is answer or error.",
            "content": event_stream("An event of the search.", SolveEvent),
        },
        **ANY_ERROR,
    },
)
async def solve(
    body: SolveRequest,
    http_request: Request,
    searches: RunningSearches,
    settings: ServerSettings,
    caller: Caller,
    request_id: RequestId,
) -> SolveResponse | Response:
    """Search for the answer to a problem. The search is cancelled if the client disconnects."""
    check_length(body.problem, settings)
    models = searches.models
    request = resolve(
        body.problem,
        body.chosen(),
        settings,
        has_reward_model=models.has_reward_model,
        context_length=models.generator.context_length,
    )
    models.check(request.method)
    leasing = searches.lease(
        caller=caller, id=request_id, n_particles=request.options.n_particles, max_seconds=request.options.max_seconds
    )
    if body.stream:
        events = frames(request, leasing, id=request_id, particles=body.return_particles)
        return EventStream(events, error_frame, keep_alive_s=settings.keep_alive_s, send_timeout_s=settings.send_timeout_s)
    return await cancel_on_disconnect(http_request.receive, _solve(request, leasing, request_id, body.return_particles))


@router.delete("/solve/{id}", responses=ANY_ERROR)
async def cancel(id: str, searches: RunningSearches, caller: Caller) -> CancelResponse:
    """Cancel the caller's own requests with this id, running or queued. They end with the error `cancelled`."""
    cancelled = searches.cancel(caller, id)
    if not cancelled:
        raise NotFound("You have no running or queued request with this id: it may have ended.", param="id")
    return CancelResponse(id=id, cancelled=cancelled)


async def _solve(
    request: SearchRequest, leasing: AbstractAsyncContextManager[Lease], id: str, particles: bool
) -> SolveResponse | Response:
    async with leasing as lease:
        result = await lease.solve(request)
    if not request.options.logprobs:
        return SolveResponse.of(result, particles=particles, id=id)
    content = await off_loop(n_log_probs(result), lambda: SolveResponse.of(result, id=id).model_dump_json(exclude_unset=True))
    return Response(content, media_type="application/json")
