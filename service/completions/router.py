"""``POST /v1/completions``."""

from functools import partial

from fastapi import APIRouter, Request, Response

from epf.core.off_loop import in_thread, off_loop
from epf.service.chat.stream import error_frames
from epf.service.chat.unsupported import BOOKKEEPING, header_of
from epf.service.completions.request import CompletionRequest
from epf.service.completions.response import TextCompletion
from epf.service.completions.run import OWN_NEUTRAL, complete, completion_of
from epf.service.completions.stream import frames
from epf.service.http.body import BoundedRoute
from epf.service.http.disconnect import cancel_on_disconnect
from epf.service.http.openapi import ANY_ERROR, event_stream
from epf.service.http.schemas import ErrorBody
from epf.service.http.sse import EventStream
from epf.service.state import Caller, RequestId, RunningSearches, ServerSettings

MANY_PROMPTS = 8
"""Number of prompts from which a thread is worth its while: resolving each of them takes half a millisecond."""

router = APIRouter(prefix="/v1", tags=["OpenAI"], route_class=BoundedRoute)


@router.post(
    "/completions",
    response_model=TextCompletion,
    response_model_exclude_unset=True,
    responses={
        200: {
            "description": "The completion. With `stream`, its chunks as server-sent events; the last one is [DONE].",
            "content": event_stream("A chunk of the completion.", TextCompletion, ErrorBody, named=False, last="[DONE]"),
        },
        **ANY_ERROR,
    },
)
async def completions(
    body: CompletionRequest,
    request: Request,
    response: Response,
    searches: RunningSearches,
    settings: ServerSettings,
    caller: Caller,
    request_id: RequestId,
) -> TextCompletion | Response:
    """Continue texts as in the OpenAI API, or solve them as problems with a search.

    The searches are cancelled if the client disconnects.
    """
    resolved = partial(completion_of, body, settings, searches.models)
    is_short = len(body.prompt) < MANY_PROMPTS
    completion = await (off_loop(sum(map(len, body.prompt)), resolved) if is_short else in_thread(resolved))
    leasing = completion.choices.lease(searches, caller, request_id)
    names = sorted((body.model_extra or {}).keys() - BOOKKEEPING - OWN_NEUTRAL.keys())
    names += sorted(f"stream_options.{name}" for name in (body.stream_options and body.stream_options.model_extra) or {})
    headers = header_of(names)
    if body.stream:
        stream = EventStream(
            frames(completion, leasing),
            error_frames,
            keep_alive_s=settings.keep_alive_s,
            send_timeout_s=settings.send_timeout_s,
        )
        stream.headers.update(headers)
        return stream
    response.headers.update(headers)
    return await cancel_on_disconnect(request.receive, complete(completion, leasing))
