"""``/searches``: list, read, export and delete the searches that the server has kept of a caller."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response
from starlette.responses import StreamingResponse

from epf.service.history.schemas import DeletedSearch, SearchFilter, SearchList, SearchListQuery, StoredSearch
from epf.service.history.state import KeptSearches
from epf.service.http.large import LargeResponse
from epf.service.http.openapi import ANY_ERROR
from epf.service.state import Caller

router = APIRouter(prefix="/searches", tags=["history"])

HEADERS: Final = {"cache-control": "no-store", "vary": "accept"}
"""A browser gets a page at the same addresses, see :mod:`epf.service.web.addresses`."""
JSON_LINES: Final = "application/jsonl"
EXPORT: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "One search per line, oldest first; each as from GET /searches/{id}.",
        "content": {JSON_LINES: {"itemSchema": {"$ref": "#/components/schemas/StoredSearch"}}},
    },
    **ANY_ERROR,
}


@router.get("", responses=ANY_ERROR)
async def list_searches(
    query: Annotated[SearchListQuery, Query()], store: KeptSearches, caller: Caller, response: Response
) -> SearchList:
    """List the caller's searches, newest first. A request that asks for text/html gets the page that shows them."""
    response.headers.update(HEADERS)
    return await store.page(caller, query)


@router.get("/export", response_class=StreamingResponse, responses=EXPORT)
async def export(wanted: Annotated[SearchFilter, Query()], store: KeptSearches, caller: Caller) -> StreamingResponse:
    """Export the caller's searches as JSON Lines, which `epf entropy`, `epf trace` and `epf view` read."""
    headers = {**HEADERS, "content-disposition": 'attachment; filename="searches.jsonl"'}
    found = store.export(caller, wanted)
    first = await anext(found, b"")  # a failure has a status of its own as long as nothing is sent

    async def lines() -> AsyncIterator[bytes]:
        yield first
        async for line in found:
            yield line

    return StreamingResponse(lines(), media_type=JSON_LINES, headers=headers)


@router.get("/{id}", response_model=StoredSearch, responses=ANY_ERROR)
async def read(id: str, store: KeptSearches, caller: Caller) -> Response:
    """Return one search with all its events. A request that asks for text/html gets the page that shows it."""
    response = LargeResponse(await store.document(caller, id), media_type="application/json")
    response.headers.update(HEADERS)
    return response


@router.delete("/{id}", responses=ANY_ERROR)
async def delete(id: str, store: KeptSearches, caller: Caller) -> DeletedSearch:
    """Delete one search for good."""
    await store.delete(caller, id)
    return DeletedSearch(id=id, deleted=True)
