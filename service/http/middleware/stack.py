"""What stands in front of the routes of every application of ours."""

from typing import Any, Final

from fastapi import FastAPI

from epf.service.http.errors import UnhandledErrors
from epf.service.http.middleware.access_log import AccessLog
from epf.service.http.middleware.auth import Authentication
from epf.service.http.middleware.body_limit import BodyLimit
from epf.service.http.middleware.keys import Keys
from epf.service.http.middleware.request_id import RequestIds
from epf.service.settings import Settings

UVICORN: Final[dict[str, Any]] = {"http": "h11", "ws": "none", "log_config": None}
"""How uvicorn is to serve them. Of its parsers only h11 bounds the headers; no route speaks WebSocket, and logs are ours."""


def install(app: FastAPI, settings: Settings) -> None:
    """Put the middlewares around the routes: the last one added is the outermost, and only known senders' bodies are read."""
    app.add_middleware(
        BodyLimit,
        max_bytes=settings.max_body_bytes,
        max_bytes_under={"/entropy/": settings.max_entropy_body_bytes},
        timeout_s=settings.body_timeout_s,
    )
    app.add_middleware(Authentication, keys=Keys(settings.api_keys), allow_anonymous=settings.allow_anonymous)
    app.add_middleware(UnhandledErrors)
    app.add_middleware(AccessLog)
    app.add_middleware(RequestIds)
