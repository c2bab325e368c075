"""``POST /solve``."""

from fastapi import APIRouter, Request, Response

from service.dependencies import Caller, RequestId, RunningSearches, ServerSettings
from service.disconnect import ClientGone, until_client_leaves
from service.orders import ordered
from service.schemas import ErrorBody, SolveRequest, SolveResponse
from service.searches import Searches
from service.settings import Settings

router = APIRouter(tags=["search"])


@router.post(
    "/solve",
    response_model=SolveResponse,
    response_model_exclude_unset=True,
    responses={"default": {"model": ErrorBody, "description": "Any error"}},
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
    try:
        return await until_client_leaves(request.receive, _solved(body, settings, searches, caller, request_id))
    except ClientGone:
        return Response(status_code=499)


async def _solved(body: SolveRequest, settings: Settings, searches: Searches, caller: str, request_id: str) -> SolveResponse:
    order = ordered(body.problem, body.chosen(), settings)
    config = order.config
    async with searches.place(
        caller=caller, id=request_id, n_particles=config.n_particles, max_seconds=config.max_seconds
    ) as place:
        return SolveResponse.of(await place.solve(order), particles=body.return_particles)
