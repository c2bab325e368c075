"""Which requests of vLLM's application the search service answers.

The service has its own paths to itself. Of vLLM's paths it takes chat completions with the name of a search method as their
model, and it adds these names to the list of models; all other requests for them are vLLM's.
"""

import json
from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from epf.service.chat.resolve import is_search
from epf.service.web import router as web

CHAT = "/v1/chat/completions"
MODELS = "/v1/models"
OWN = (
    "/",
    web.ENTROPY_TOOLS,
    web.PREFIX + "{name}",
    "/solve",
    "/solve/{rest:path}",
    "/score",
    "/methods",
    "/mathml",
    "/entropy",
    "/entropy/{rest:path}",
    "/searches",
    "/searches/{rest:path}",
    "/healthz",
    "/readyz",
)
"""Paths that vLLM does not have."""


class Forwarded(Response):
    """A response that another application writes, to a request whose body has been read."""

    def __init__(self, app: ASGIApp, body: bytes) -> None:
        super().__init__()
        self._app = app
        self._body = body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; after the body, the application waits for the client as the server does."""
        unread = [self._body]

        async def replay() -> Message:
            return {"type": "http.request", "body": unread.pop(), "more_body": False} if unread else await receive()

        await self._app(scope, replay, send)


def attach_routes(app: FastAPI, service: ASGIApp) -> None:
    """Add the paths of ``service`` to vLLM's application."""
    taken = {route.path for route in app.routes if isinstance(route, APIRoute)}
    for path in OWN:
        if path not in taken:
            app.router.routes.append(Route(path, service, include_in_schema=False))
    chat, models = _route(app, CHAT, "POST"), _route(app, MODELS, "GET")

    async def completions(request: Request) -> Response:
        body = await request.body()
        return Forwarded(service if is_search(_model_of(body)) else chat.app, body)

    async def listed(request: Request) -> Response:
        theirs = await models.endpoint(request)
        ours = await _answer(service, request.scope)
        if theirs.status_code != 200 or ours is None:
            return theirs  # type: ignore[no-any-return]
        found = json.loads(bytes(theirs.body))
        known = {model["id"] for model in found["data"]}
        found["data"] += [model for model in ours["data"] if model["id"] not in known]
        return JSONResponse(found)

    app.add_api_route(CHAT, completions, methods=["POST"], dependencies=chat.dependencies, responses=chat.responses)
    app.add_api_route(MODELS, listed, methods=["GET"])


def _route(app: FastAPI, path: str, method: str) -> APIRoute:
    found: Iterable[APIRoute] = (
        route for route in app.routes if isinstance(route, APIRoute) and route.path == path and method in (route.methods or ())
    )
    return next(iter(found))


def _model_of(body: bytes) -> str:
    """The model that a request names; empty if it names none, or is no JSON object."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    model = value.get("model") if isinstance(value, dict) else None
    return model if isinstance(model, str) else ""


async def _answer(service: ASGIApp, scope: Scope) -> Any:
    """What the service answers to a request without a body, as JSON; None if it refuses."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await service(scope, receive, send)
    if not sent or sent[0]["status"] != 200:
        return None
    return json.loads(b"".join(message.get("body", b"") for message in sent[1:]))
