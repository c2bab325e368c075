"""Requests and calls of the reward model, counted and timed from outside."""

import json
from collections.abc import Sequence
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from epf.core.reward_model import RewardModel, RewardModelWrapper, Score
from epf.service.http.middleware.access_log import METHODS
from epf.service.operations.metrics import Metrics

NO_ROUTE = "none"
OTHER_METHOD = "other"
CLIENT_GONE = 499
ERROR_FRAMES = (b"event: error\n", b'data: {"error":')
"""How an error in a stream begins, in ours and in that of a chat."""


class ObservedRequests:
    """ASGI middleware, outside of all others: tells the metrics of each request when it has ended."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, watching what is sent."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        answer = _Answer()

        async def watched(message: Message) -> None:
            answer.see(message)
            await send(message)

        begun_s = perf_counter()
        try:
            await self.app(scope, receive, watched)
        finally:
            route = getattr(scope.get("route"), "path", NO_ROUTE)
            method = scope["method"] if scope["method"] in METHODS else OTHER_METHOD
            self.metrics.requests.labels(route, method, str(answer.status)).inc()
            self.metrics.request_s.labels(route).observe(perf_counter() - begun_s)
            if answer.first_event_s is not None:
                self.metrics.first_event_s.labels(route).observe(answer.first_event_s - begun_s)
            if answer.error_code is not None:
                self.metrics.errors.labels(answer.error_code).inc()


class _Answer:
    """What can be told of an answer from the messages that it is sent by."""

    def __init__(self) -> None:
        self.status = CLIENT_GONE
        """Without an answer nobody was there to read one."""
        self.first_event_s: float | None = None
        self.error_code: str | None = None
        self._type = b""

    def see(self, message: Message) -> None:
        """Look at one message."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self._type = next((value for name, value in message["headers"] if name.lower() == b"content-type"), b"")
        elif body := message.get("body"):
            if self._type.startswith(b"text/event-stream"):
                if self.first_event_s is None and not body.startswith(b":"):  # a comment is no event
                    self.first_event_s = perf_counter()
                if body.startswith(ERROR_FRAMES):
                    self.error_code = _code(body.partition(b"data: ")[2].partition(b"\n")[0])
            elif self.status >= 400 and self._type.startswith(b"application/json"):
                self.error_code = _code(body)


class ObservedRewardModel(RewardModelWrapper):
    """A reward model whose calls are recorded in the metrics; see :class:`epf.core.reward_model.RewardModel`."""

    def __init__(self, inner: RewardModel, metrics: Metrics) -> None:
        super().__init__(inner)
        self._metrics = metrics

    async def score(self, problem: str, steps: Sequence[str]) -> Score:
        """Return the inner model's result, whatever it is."""
        with self._metrics.prm_call_s.time():
            score = await self._inner.score(problem, steps)
        if isinstance(score, Score):  # the caller checks the result and rejects anything else
            self._metrics.tokens.labels("prm").inc(max(score.n_tokens, 0))
        return score


def _code(error: bytes) -> str:
    """Code of one of our errors, all of which have one shape."""
    return str(json.loads(error)["error"]["code"])
