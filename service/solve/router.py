"""``POST /solve``."""

from contextlib import AbstractAsyncContextManager

from fastapi import APIRouter, Request, Response

from epf.search.request import SearchRequest
from epf.service.http.dependencies import Caller, RequestId, RunningSearches, ServerSettings
from epf.service.http.disconnect import ClientGone, until_client_leaves
from epf.service.http.openapi import event_stream
from epf.service.http.sse import EventStream
from epf.service.searches.lease import Place
from epf.service.searches.resolve import check_length, resolve
from epf.service.solve.events import SolveEvent, failed, frames
from epf.service.solve.schemas import ErrorBody, SolveRequest, SolveResponse

router = APIRouter(tags=["search"])


@router.post(
    "/solve",
    response_model=SolveResponse,
    response_model_exclude_unset=True,
    responses={
        200: {
            "description": "The answer; with stream an event for each thing that happens, the last one answer or error.",
            "content": event_stream("Something that happened.", SolveEvent),
        },
        "default": {"model": ErrorBody, "description": "Any error"},
    },
)
async def solve(
    body: SolveRequest,
    request: Request,
    searches: RunningSearches,
    settings: ServerSettings,
    caller: Caller,
    request_id: RequestId,
) -> SolveResponse | Response:
    """Search for the answer of a problem. A client that goes away ends its search."""
    check_length(body.problem, settings)
    order = resolve(body.problem, body.chosen(), settings)
    room = searches.place(
        caller=caller, id=request_id, n_particles=order.options.n_particles, max_seconds=order.options.max_seconds
    )
    if body.stream:
        return EventStream(
            frames(order, room, id=request_id, particles=body.return_particles),
            failed,
            keep_alive_s=settings.keep_alive_s,
            send_timeout_s=settings.send_timeout_s,
        )
    try:
        return await until_client_leaves(request.receive, _solved(order, room, request_id, body.return_particles))
    except ClientGone:
        return Response(status_code=499)


async def _solved(order: SearchRequest, room: AbstractAsyncContextManager[Place], id: str, particles: bool) -> SolveResponse:
    async with room as place:
        return SolveResponse.of(await place.solve(order), particles=particles, id=id)
