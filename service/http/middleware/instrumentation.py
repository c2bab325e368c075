"""What surrounds every request: its id, its log line, its metrics, and a response to errors that nothing else handled."""

import json
import logging
import re
import uuid
from time import perf_counter

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from epf.core.tracing import continue_from, parent_of
from epf.service.http.disconnect import CLIENT_GONE
from epf.service.http.errors import response_to
from epf.service.operations.logs import current_request_id
from epf.service.operations.metrics import Metrics

access_log = logging.getLogger("epf.access")

HEADER = "x-request-id"
SAFE_ID = re.compile("[A-Za-z0-9._:-]{1,128}")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
OTHER_METHOD = "other"
NO_ROUTE = "none"
ERROR_FRAMES = (b"event: error\n", b'data: {"error":', b"event: response.failed\n")
"""The beginning of an error in a stream: of ours, of a chat, and of a response."""


class Instrumentation:
    """ASGI middleware, outermost: gives each request an id, and logs and counts it once its last byte has been sent.

    The caller's own id is used if it is safe to repeat, otherwise a random one. The log line has nothing in it that the caller
    wrote: method, route, status, seconds and caller. ``route`` is the matched template such as ``/solve/{id}``, null without a
    match; ``caller`` is null if the request was not authenticated; ``status`` is null without a response.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Set ``scope["request_id"]``, ``current_request_id`` and the response header, then handle the request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get(HEADER, "")
        request_id = given if SAFE_ID.fullmatch(given) else uuid.uuid4().hex
        scope["request_id"] = request_id
        # Never reset: a server runs each request in a task of its own, and logs its failure after this middleware returned.
        current_request_id.set(request_id)
        continue_from(parent_of(headers.get("traceparent", ""), headers.get("tracestate", "")))
        response = _Response()

        async def observed(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = request_id
            response.observe(message)
            await send(message)

        started_s = perf_counter()
        try:
            await self.app(scope, receive, observed)
        finally:
            self._record(scope, response, started_s, perf_counter() - started_s)

    def _record(self, scope: Scope, response: "_Response", started_s: float, seconds: float) -> None:
        method = scope["method"] if scope["method"] in METHODS else OTHER_METHOD
        route = getattr(scope.get("route"), "path", None)
        fields = {
            "method": method,
            "route": route,
            "status": response.status,
            "seconds": round(seconds, 4),
            "caller": scope.get("caller"),
        }
        access_log.info("request", extra={"fields": fields})
        route = route or NO_ROUTE
        self._metrics.requests.labels(route, method, str(response.status or CLIENT_GONE)).inc()
        self._metrics.request_s.labels(route).observe(seconds)
        if response.first_event_s is not None:
            self._metrics.first_event_s.labels(route).observe(response.first_event_s - started_s)
        if response.error_code is not None:
            self._metrics.errors.labels(response.error_code).inc()


class _Response:
    """What the messages of a response show: its status, the time of its first event and the code of its error."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.first_event_s: float | None = None
        self.error_code: str | None = None
        self._type = b""

    def observe(self, message: Message) -> None:
        """Take note of one message."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self._type = next((value for name, value in message["headers"] if name.lower() == b"content-type"), b"")
        elif body := message.get("body"):
            if self._type.startswith(b"text/event-stream"):
                if self.first_event_s is None and not body.startswith(b":"):  # a comment is not an event
                    self.first_event_s = perf_counter()
                if body.startswith(ERROR_FRAMES):
                    self.error_code = _code(body.partition(b"data: ")[2].partition(b"\n")[0])
            elif (self.status or 0) >= 400 and self._type.startswith(b"application/json"):
                self.error_code = _code(body)


class UnhandledErrors:
    """ASGI middleware: responds to errors that no handler took, which are refusals by an inner middleware, or bugs.

    A bug becomes a 500 that reveals no internals. The log gets the exception's class and where it was raised, not its message,
    which may quote the problem.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond unless the response has begun; then only the connection can be closed."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = False

        async def observed(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, observed)
        except Exception as error:
            response = response_to(error)
            if begun:
                raise RuntimeError("the request failed after its response had begun") from None
            await response(scope, receive, send)


def _code(error: bytes) -> str:
    """The code in one of our error bodies, or in the last event of a failed response, which has it in a field of our own."""
    body = json.loads(error)
    return str(body["response"]["error"]["epf_code"] if "response" in body else body["error"]["code"])
