"""``POST /v1/chat/completions``."""

from functools import partial

from fastapi import APIRouter, Request, Response

from epf.core.off_loop import off_loop
from epf.service.chat.request import ChatRequest
from epf.service.chat.response import ChatCompletion, ChatCompletionChunk
from epf.service.chat.run import chat_of, complete
from epf.service.chat.stream import error_frames, frames
from epf.service.chat.unsupported import ignored_header
from epf.service.http.body import BoundedRoute
from epf.service.http.disconnect import cancel_on_disconnect
from epf.service.http.openapi import ANY_ERROR, event_stream
from epf.service.http.schemas import ErrorBody
from epf.service.http.sse import EventStream
from epf.service.state import Caller, RequestId, RunningSearches, ServerSettings

router = APIRouter(prefix="/v1", tags=["OpenAI"], route_class=BoundedRoute)


@router.post(
    "/chat/completions",
    response_model=ChatCompletion,
    response_model_exclude_unset=True,
    responses={
        200: {
            "description": "The completion. With `stream`, its chunks as server-sent events; the last one is [DONE].",
            "content": event_stream("A chunk of the completion.", ChatCompletionChunk, ErrorBody, named=False, last="[DONE]"),
        },
        **ANY_ERROR,
    },
)
async def chat_completions(
    body: ChatRequest,
    request: Request,
    response: Response,
    searches: RunningSearches,
    settings: ServerSettings,
    caller: Caller,
    request_id: RequestId,
) -> ChatCompletion | Response:
    """Continue a conversation as in the OpenAI API, with a search for the best answer.

    Options come from the server's defaults, then the model name, then the request. The searches are cancelled if the client
    disconnects.
    """
    n_chars = sum(len(message.content) for message in body.messages)
    chat = await off_loop(n_chars, partial(chat_of, body, settings, searches.models))
    recorded = (body.model_extra or {}).get("store") is not False
    leasing = chat.choices.lease(searches, caller, request_id, recorded=recorded)
    headers = ignored_header(body, chat.choices.sources.without_effect)
    if body.stream:
        stream = EventStream(
            frames(chat, leasing), error_frames, keep_alive_s=settings.keep_alive_s, send_timeout_s=settings.send_timeout_s
        )
        stream.headers.update(headers)
        return stream
    response.headers.update(headers)
    return await cancel_on_disconnect(request.receive, complete(chat, leasing))
