"""The middleware in front of the routes of every server."""

from fastapi import FastAPI

from epf.service.http.middleware.auth import Authentication, Keys
from epf.service.http.middleware.body_limit import BodyLimit
from epf.service.http.middleware.head import HeadRequests
from epf.service.http.middleware.instrumentation import Instrumentation, UnhandledErrors
from epf.service.http.middleware.origin import Cors, OriginCheck
from epf.service.http.middleware.paths import CanonicalPaths
from epf.service.http.middleware.probes import ProbesFirst
from epf.service.operations.metrics import Metrics
from epf.service.settings import Settings


def install(app: FastAPI, settings: Settings, metrics: Metrics) -> None:
    """Add the middleware. The last one added is the outermost, and bodies are read only after authentication.

    Authentication sees the path as it was sent, so that no other spelling of a probe's path is open.
    """
    app.add_middleware(HeadRequests)
    app.add_middleware(
        BodyLimit,
        max_bytes=settings.max_body_bytes,
        max_bytes_under={"/entropy/": settings.max_entropy_body_bytes},
        timeout_s=settings.body_timeout_s,
    )
    app.add_middleware(CanonicalPaths)
    app.add_middleware(Authentication, keys=Keys(settings.api_keys), allow_anonymous=settings.allow_anonymous)
    app.add_middleware(OriginCheck, origins=settings.allowed_origins, hosts=settings.allowed_hosts)
    app.add_middleware(ProbesFirst)
    app.add_middleware(UnhandledErrors)
    if settings.allowed_origins:
        app.add_middleware(Cors, origins=settings.allowed_origins)
    app.add_middleware(Instrumentation, metrics=metrics)
