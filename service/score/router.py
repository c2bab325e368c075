"""``POST /score``."""

from fastapi import APIRouter, Request, Response

from epf.core.errors import InvalidRequest
from epf.service.http.dependencies import Caller, LoadedModels, RequestId, RunningSearches, ServerSettings
from epf.service.http.disconnect import ClientGone, until_client_leaves
from epf.service.searches.lease import Searches
from epf.service.searches.models import Models
from epf.service.searches.resolve import check_length
from epf.service.settings import Settings
from epf.service.solve.schemas import ErrorBody, ScoreRequest, ScoreResponse

router = APIRouter(tags=["search"])


@router.post("/score", response_model=ScoreResponse, responses={"default": {"model": ErrorBody, "description": "Any error"}})
async def score(
    body: ScoreRequest,
    request: Request,
    models: LoadedModels,
    searches: RunningSearches,
    settings: ServerSettings,
    caller: Caller,
    request_id: RequestId,
) -> ScoreResponse | Response:
    """Judge the steps of a given solution: the reward model's probability after each. Counts as one particle."""
    check_length(body.problem, settings)
    if len(body.steps) > settings.max_steps:
        message = f"`steps` may have at most {settings.max_steps} items on this server, got {len(body.steps)}: send fewer"
        raise InvalidRequest(message, param="steps")
    for i, step in enumerate(body.steps):
        check_length(step, settings, f"steps.{i}")
    try:
        return await until_client_leaves(request.receive, _scored(body, models, searches, settings, caller, request_id))
    except ClientGone:
        return Response(status_code=499)


async def _scored(
    body: ScoreRequest, models: Models, searches: Searches, settings: Settings, caller: str, id: str
) -> ScoreResponse:
    async with searches.place(caller=caller, id=id, n_particles=1, max_seconds=settings.max_seconds) as place:
        scores = await place.score(body.problem, body.steps)
    return ScoreResponse(
        id=id,
        model=models.reward_model.name,
        scores=[score.probability for score in scores],
        prm_tokens=sum(score.n_tokens for score in scores),
    )
