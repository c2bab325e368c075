"""``POST /solve``."""

from fastapi import APIRouter, Request, Response

from search import asolve
from service.dependencies import LoadedModels
from service.disconnect import ClientGone, until_client_leaves
from service.schemas import ErrorBody, SolveRequest, SolveResponse

router = APIRouter(tags=["search"])


@router.post(
    "/solve",
    response_model=SolveResponse,
    response_model_exclude_unset=True,
    responses={"default": {"model": ErrorBody, "description": "Any error"}},
)
async def solve(body: SolveRequest, request: Request, models: LoadedModels) -> SolveResponse | Response:
    """Search for the answer of a problem. A client that goes away ends its search."""
    search = asolve(
        body.problem,
        method=body.method,
        config=body.config(),
        generator=models.generator,
        reward_model=models.reward_model,
        checker=models.checker,
    )
    try:
        result = await until_client_leaves(request.receive, search)
    except ClientGone:
        return Response(status_code=499)
    return SolveResponse.of(result, particles=body.return_particles)
