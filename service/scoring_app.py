"""The scoring server, ``epf serve-prm``: one reward model for searches on other machines. It runs no searches."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Annotated

from fastapi import FastAPI, Request
from pydantic import BaseModel, ConfigDict, FailFast, Field

from epf.core.deadlines import working_until
from epf.core.errors import DeadlineExceeded, Overloaded, RewardModelError
from epf.core.reward_model import RewardModel, Score
from epf.core.version import VERSION
from epf.service import health
from epf.service.http import errors, pages
from epf.service.http.body import BoundedRoute, at_most
from epf.service.http.disconnect import cancel_on_disconnect
from epf.service.http.middleware import stack as middleware
from epf.service.http.openapi import ANY_ERROR
from epf.service.operations.lifecycle import Lifecycle, unavailable
from epf.service.operations.metrics import InstrumentedRewardModel, Metrics
from epf.service.score.limits import check_trace
from epf.service.settings import Settings
from epf.service.state import ServerState


class TraceIn(BaseModel):
    """A partial solution whose newest step is scored."""

    model_config = ConfigDict(extra="forbid", strict=True)

    problem: str
    steps: Annotated[list[str], FailFast(), at_most("max_steps")] = Field(min_length=1)


class ScoreOut(BaseModel):
    """The score of one trace."""

    probability: float = Field(ge=0, le=1, allow_inf_nan=False, description="Probability that all steps so far are correct.")
    n_tokens: int = Field(ge=0, description="Tokens that the reward model computed, without cached ones.")


class Scorer:
    """The reward model behind the limits of the server."""

    def __init__(self, reward_model: RewardModel, settings: Settings, lifecycle: Lifecycle) -> None:
        self._reward_model = reward_model
        self._settings = settings
        self._lifecycle = lifecycle
        self._n_open = 0

    async def score(self, trace: TraceIn) -> ScoreOut:
        """Score one trace.

        Raises:
            InvalidRequest: the trace exceeds a limit of the server.
            Overloaded: too many traces are being scored, or the server shuts down.
            DeadlineExceeded: the reward model took too long.
            RewardModelError: the reward model failed or returned an invalid score.
        """
        check_trace(trace.problem, trace.steps, self._settings)
        limit = self._settings.max_particles_in_flight + self._settings.max_particles_queued
        if self._n_open >= limit:
            raise Overloaded(f"the server is already scoring {limit} traces, its limit: try again later", retry_after_s=1.0)
        with self._lifecycle.work():
            self._n_open += 1
            try:
                deadline_s = asyncio.get_running_loop().time() + self._settings.max_seconds
                async with asyncio.timeout_at(deadline_s), self._lifecycle.deadline.limit():
                    with working_until(deadline_s):
                        score = await self._reward_model.score(trace.problem, trace.steps)
            except TimeoutError:
                if self._lifecycle.deadline.over:
                    raise unavailable("DRAINING", "the server shut down before the reward model returned a score") from None
                raise DeadlineExceeded(f"the reward model returned no score within {self._settings.max_seconds} s") from None
            finally:
                self._n_open -= 1
        return _checked(score)


def create_scoring_app(reward_model: RewardModel, settings: Settings | None = None) -> FastAPI:
    """The application for ``reward_model``, which it closes when it stops."""
    settings = settings or Settings()
    state = ServerState(settings=settings, metrics=Metrics())
    state.metrics.set_build(version=VERSION, reward_model=reward_model.name)
    scorer = Scorer(InstrumentedRewardModel(reward_model, state.metrics), settings, state.lifecycle)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with aclosing(reward_model):
            state.lifecycle.models = {"reward_model": reward_model}
            yield

    app = FastAPI(
        title="Scores of a process reward model", version=VERSION, lifespan=lifespan, redirect_slashes=False, **pages.OFF
    )
    state.attach(app)
    app.router.route_class = BoundedRoute
    app.include_router(health.router)

    @app.post("/score", responses=ANY_ERROR)
    async def score(body: TraceIn, request: Request) -> ScoreOut:
        """Score the newest step of one trace. The call is cancelled if the client disconnects."""
        out = await cancel_on_disconnect(request.receive, scorer.score(body))
        state.rate_limits.charge(request.scope["caller"], out.n_tokens)
        return out

    errors.install(app)
    pages.install(app)
    pages.lead_root(app)
    middleware.install(app, state)
    return app


def _checked(score: Score) -> ScoreOut:
    if not 0 <= score.probability <= 1:
        raise RewardModelError(f"the reward model returned {score.probability}, which is not a probability in [0, 1]")
    return ScoreOut(probability=score.probability, n_tokens=score.n_tokens)
