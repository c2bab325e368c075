"""The middleware in front of the routes of every server."""

from collections.abc import Collection

from fastapi import FastAPI

from epf.service.http.middleware.auth import Authentication
from epf.service.http.middleware.body_limit import BodyLimit
from epf.service.http.middleware.head import HeadRequests
from epf.service.http.middleware.instrumentation import Instrumentation, UnhandledErrors
from epf.service.http.middleware.origin import Cors, OriginCheck
from epf.service.http.middleware.paths import CanonicalPaths
from epf.service.http.middleware.probes import ProbesFirst
from epf.service.http.middleware.rate_limits import LimitHeaders, LimitRate
from epf.service.state import ServerState


def install(app: FastAPI, state: ServerState, *, open_paths: Collection[str] = ()) -> None:
    """Add the middleware. The last one added is the outermost, and bodies are read only after authentication.

    ``open_paths`` are those that a browser reads before anybody can give it a key.

    Authentication sees the path as it was sent, so that no other spelling of a probe's path is open.
    """
    settings = state.settings
    app.add_middleware(HeadRequests)
    app.add_middleware(LimitRate, rate_limits=state.rate_limits)
    app.add_middleware(
        BodyLimit,
        max_bytes=settings.max_body_bytes,
        max_bytes_under={"/entropy/": settings.max_entropy_body_bytes},
        max_bytes_in_all=settings.max_bodies_bytes,
        timeout_s=settings.body_timeout_s,
    )
    app.add_middleware(CanonicalPaths)
    app.add_middleware(Authentication, keys=state.keys, allow_anonymous=settings.allow_anonymous, open_paths=open_paths)
    app.add_middleware(OriginCheck, origins=settings.allowed_origins, hosts=settings.allowed_hosts)
    app.add_middleware(ProbesFirst)
    app.add_middleware(UnhandledErrors)
    app.add_middleware(LimitHeaders, rate_limits=state.rate_limits)
    if settings.allowed_origins:
        app.add_middleware(Cors, origins=settings.allowed_origins)
    app.add_middleware(Instrumentation, metrics=state.metrics)
