"""``/v1/responses``: create, read, resume, cancel and delete responses."""

from functools import partial
from itertools import islice
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response

from epf.core.errors import InvalidRequest
from epf.core.off_loop import off_loop
from epf.service.http.body import BoundedRoute
from epf.service.http.disconnect import cancel_on_disconnect
from epf.service.http.errors import detail_of
from epf.service.http.openapi import ANY_ERROR, event_stream
from epf.service.http.schemas import ErrorBody
from epf.service.http.sse import EventStream, event_frame
from epf.service.responses.create import conversation_of, creation_of
from epf.service.responses.events import ResponseStreamEvent
from epf.service.responses.items import ItemList, ListedMessage
from epf.service.responses.request import ResponsesRequest
from epf.service.responses.response import DeletedResponse, ResponseOut
from epf.service.responses.run import ResponseRun
from epf.service.responses.state import Responses
from epf.service.responses.store import StoredResponse
from epf.service.responses.unsupported import ignored_header
from epf.service.state import Caller, RequestId, RunningSearches, ServerSettings

router = APIRouter(prefix="/v1/responses", tags=["OpenAI"], route_class=BoundedRoute)

MAX_PAGE = 100

RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The response. With `stream`, its events; the last one is completed, incomplete or failed.",
        "content": event_stream("An event of the response.", ResponseStreamEvent),
    },
    **ANY_ERROR,
}


@router.post("", response_model=ResponseOut, response_model_exclude_unset=True, responses=RESPONSES)
async def create(
    body: ResponsesRequest,
    request: Request,
    searches: RunningSearches,
    responses: Responses,
    settings: ServerSettings,
    caller: Caller,
    request_id: RequestId,
) -> Response:
    """Answer as in the OpenAI API, with a search for the best answer.

    The search is cancelled if the client disconnects, unless it runs in the background.
    """
    conversation = conversation_of(body, responses.store.earlier(caller))
    n_chars = len(body.instructions or "") + sum(len(item.content) for item in conversation)
    creation = await off_loop(n_chars, partial(creation_of, body, conversation, settings, searches.models))
    id = creation.response.id if body.background else request_id
    leasing = creation.choices.lease(searches, caller, id, recorded=body.store)
    run = ResponseRun(creation, leasing, responses.store, caller)
    headers = ignored_header(body, creation.choices.sources.without_effect)
    if body.background:
        record, begun = await responses.background.start(run)
        return _followed(record, -1, settings, headers) if body.stream else _json(begun, headers)
    if body.stream:
        stream = EventStream(
            run.frames(), run.error_frame, keep_alive_s=settings.keep_alive_s, send_timeout_s=settings.send_timeout_s
        )
        stream.headers.update(headers)
        return stream
    response = await cancel_on_disconnect(request.receive, run.complete())
    return _json(response.model_dump_json(exclude_unset=True), headers)


@router.get("/{response_id}", response_model=ResponseOut, response_model_exclude_unset=True, responses=RESPONSES)
async def retrieve(
    response_id: str,
    responses: Responses,
    settings: ServerSettings,
    caller: Caller,
    stream: Annotated[bool, Query(description="Respond with the events of a response in the background.")] = False,
    starting_after: Annotated[int | None, Query(ge=0, description="Begin after the event with this number.")] = None,
) -> Response:
    """Return a stored response, or its events from any number on, so that a broken stream can be resumed."""
    record = responses.store.get(caller, response_id)
    if not stream:
        if starting_after is not None:
            message = "`starting_after` requires stream: set stream to true or leave it out."
            raise InvalidRequest(message, param="starting_after")
        return _json(record.body)
    if not record.background:
        message = "`stream` is only possible for a response that was created with background true: read it without stream."
        raise InvalidRequest(message, param="stream")
    return _followed(record, -1 if starting_after is None else starting_after, settings)


@router.post("/{response_id}/cancel", response_model=ResponseOut, response_model_exclude_unset=True, responses=ANY_ERROR)
async def cancel(response_id: str, searches: RunningSearches, responses: Responses, caller: Caller) -> Response:
    """Cancel a response in the background and return it. One that has ended stays as it is."""
    record = responses.store.get(caller, response_id)
    if not record.background:
        message = "Only a response that was created with background true can be cancelled: end this one by disconnecting."
        raise InvalidRequest(message, param="response_id")
    if searches.cancel(caller, response_id):
        await record.ended.wait()
    return _json(record.body)


@router.delete("/{response_id}", responses=ANY_ERROR)
async def delete(response_id: str, searches: RunningSearches, responses: Responses, caller: Caller) -> DeletedResponse:
    """Delete a stored response. One that runs in the background is cancelled first."""
    record = responses.store.get(caller, response_id)
    if record.background:
        searches.cancel(caller, response_id)
    responses.store.remove(record)
    return DeletedResponse(id=response_id, object="response", deleted=True)


@router.get("/{response_id}/input_items", responses=ANY_ERROR)
async def input_items(
    response_id: str,
    responses: Responses,
    caller: Caller,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE, description="Maximum number of messages.")] = 20,
    order: Annotated[Literal["asc", "desc"], Query(description="asc for the oldest message first.")] = "desc",
    after: Annotated[str | None, Query(description="Begin after the message with this id.")] = None,
) -> ItemList:
    """List the messages that a response was generated from, those of earlier responses included."""
    record = responses.store.get(caller, response_id)
    items = list(record.input if order == "asc" else reversed(record.input))
    ids = [item.id for item in items]
    if after is not None and after not in ids:
        raise InvalidRequest("`after` is not the id of a message of this response: leave it out.", param="after")
    begin = 0 if after is None else ids.index(after) + 1
    page = [ListedMessage.of(item) for item in islice(items, begin, begin + limit)]
    return ItemList(
        object="list",
        data=page,
        first_id=page[0].id if page else None,
        last_id=page[-1].id if page else None,
        has_more=begin + limit < len(items),
    )


def _followed(
    record: StoredResponse, after: int, settings: ServerSettings, headers: dict[str, str] | None = None
) -> EventStream:
    """The events of a response in the background. Its search goes on without the reader."""
    stream = EventStream(
        record.follow(after), _error_frame, keep_alive_s=settings.keep_alive_s, send_timeout_s=settings.send_timeout_s
    )
    stream.headers.update(headers or {})
    return stream


def _error_frame(error: Exception) -> str:
    return event_frame("error", ErrorBody(error=detail_of(error)).model_dump_json())


def _json(body: str, headers: dict[str, str] | None = None) -> Response:
    return Response(body, media_type="application/json", headers=headers)
