"""``POST /v1/chat/completions``."""

from contextlib import AbstractAsyncContextManager

from fastapi import APIRouter, Request, Response

from epf.service.chat.completion import completed
from epf.service.chat.job import Job, job_of
from epf.service.chat.request import ChatRequest
from epf.service.chat.response import ChatCompletion, ChatCompletionChunk
from epf.service.chat.stream import failed, frames
from epf.service.chat.unsupported import HEADER, ignored
from epf.service.http.dependencies import Caller, LoadedModels, RequestId, RunningSearches, ServerSettings
from epf.service.http.disconnect import ClientGone, until_client_leaves
from epf.service.http.openapi import event_stream
from epf.service.http.sse import EventStream
from epf.service.searches.lease import Place
from epf.service.solve.schemas import ErrorBody

router = APIRouter(prefix="/v1", tags=["OpenAI"])


@router.post(
    "/chat/completions",
    response_model=ChatCompletion,
    response_model_exclude_unset=True,
    responses={
        200: {
            "description": "The answer; with stream its chunks as server-sent events, the last one [DONE].",
            "content": event_stream("A chunk of the answer.", ChatCompletionChunk, ErrorBody, named=False, last="[DONE]"),
        },
        "default": {"model": ErrorBody, "description": "Any error"},
    },
)
async def chat_completions(
    body: ChatRequest,
    request: Request,
    response: Response,
    models: LoadedModels,
    searches: RunningSearches,
    settings: ServerSettings,
    caller: Caller,
    request_id: RequestId,
) -> ChatCompletion | Response:
    """Go on with a conversation, as the OpenAI API does, with a search for the best answer behind it.

    Options come from the server's defaults, then the model name, then the request. A client that goes away ends its searches.
    """
    job = job_of(body, settings, models)
    room = searches.place(caller=caller, id=request_id, n_particles=job.n_particles, max_seconds=job.max_seconds)
    headers = {HEADER: names} if (names := ignored(body)) else {}
    if body.stream:
        stream = EventStream(
            frames(job, room), failed, keep_alive_s=settings.keep_alive_s, send_timeout_s=settings.send_timeout_s
        )
        stream.headers.update(headers)
        return stream
    response.headers.update(headers)
    try:
        return await until_client_leaves(request.receive, _completed(job, room))
    except ClientGone:
        return Response(status_code=499)


async def _completed(job: Job, room: AbstractAsyncContextManager[Place]) -> ChatCompletion:
    async with room as place:
        return await completed(job, place)
