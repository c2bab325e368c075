"""``DELETE /solve/{id}``."""

from fastapi import APIRouter

from epf.core.errors import NotFound
from epf.service.http.dependencies import Caller, RunningSearches
from epf.service.solve.schemas import CancelResponse, ErrorBody

router = APIRouter(tags=["search"])


@router.delete("/solve/{id}", responses={"default": {"model": ErrorBody, "description": "Any error"}})
async def cancel(id: str, searches: RunningSearches, caller: Caller) -> CancelResponse:
    """Cancel the caller's own request with this id, running or queued; it is answered with the error ``cancelled``."""
    cancelled = searches.cancel(caller, id)
    if not cancelled:
        raise NotFound("No request of yours with this id is under way: it may have ended.", param="id")
    return CancelResponse(id=id, cancelled=cancelled)
