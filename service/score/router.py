"""``POST /score``."""

from fastapi import APIRouter, Request

from epf.service.http.body import BoundedRoute
from epf.service.http.disconnect import cancel_on_disconnect
from epf.service.http.openapi import ANY_ERROR
from epf.service.score.limits import check_trace
from epf.service.score.schemas import ScoreRequest, ScoreResponse
from epf.service.searches.lease import Searches, scoring
from epf.service.state import Caller, RequestId, RunningSearches, ServerSettings

router = APIRouter(tags=["search"], route_class=BoundedRoute)


@router.post("/score", responses=ANY_ERROR)
async def score(
    body: ScoreRequest,
    request: Request,
    searches: RunningSearches,
    settings: ServerSettings,
    caller: Caller,
    request_id: RequestId,
) -> ScoreResponse:
    """Score the steps of a given solution: the reward model's probability after each one. Counts as one particle."""
    check_trace(body.problem, body.steps, settings)
    return await cancel_on_disconnect(request.receive, _score(body, searches, settings.max_seconds, caller, request_id))


async def _score(body: ScoreRequest, searches: Searches, max_seconds: float, caller: str, id: str) -> ScoreResponse:
    model = scoring(searches.models).name
    async with searches.lease(caller=caller, id=id, n_particles=1, max_seconds=max_seconds) as lease:
        scores = await lease.score(body.problem, body.steps)
    return ScoreResponse(
        id=id,
        model=model,
        scores=[score.probability for score in scores],
        prm_tokens=sum(score.n_tokens for score in scores),
    )
