"""The scoring server, ``epf serve-prm``: one reward model for searches on other machines. No search runs here."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

from fastapi import FastAPI, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from epf.core.errors import DeadlineExceeded, InvalidRequest, Overloaded, RewardModelError
from epf.core.reward_model import RewardModel, Score
from epf.core.version import VERSION
from epf.service.http import errors
from epf.service.http.disconnect import ClientGone, until_client_leaves
from epf.service.http.middleware import stack as gate
from epf.service.operations import health
from epf.service.operations import metrics_router as metrics
from epf.service.operations.instrumentation import ObservedRequests, ObservedRewardModel
from epf.service.operations.lifecycle import Lifecycle, not_now
from epf.service.operations.metrics import Metrics
from epf.service.operations.readiness import Readiness
from epf.service.settings import Settings
from epf.service.solve.schemas import ErrorBody


class TraceIn(BaseModel):
    """A solution so far, to be judged by its newest step."""

    model_config = ConfigDict(extra="forbid", strict=True)

    problem: str
    steps: list[str] = Field(min_length=1)


class ScoreOut(BaseModel):
    """What the reward model says of one trace."""

    probability: float = Field(ge=0, le=1, allow_inf_nan=False, description="That all steps so far are right.")
    n_tokens: int = Field(ge=0, description="Tokens computed for it; cached ones do not count.")


class Scorer:
    """The reward model with the server's limits around it."""

    def __init__(self, reward_model: RewardModel, settings: Settings, lifecycle: Lifecycle) -> None:
        self._reward_model = reward_model
        self._settings = settings
        self._lifecycle = lifecycle
        self._n_open = 0

    async def score(self, trace: TraceIn) -> ScoreOut:
        """Score one trace. Raises ``InvalidRequest``, ``Overloaded``, ``DeadlineExceeded`` and what the reward model raises."""
        self._check(trace)
        limit = self._settings.max_particles_in_flight + self._settings.max_particles_queued
        if self._n_open >= limit:
            raise Overloaded(f"{limit} traces are being scored already: try again", retry_after_s=1.0)
        with self._lifecycle.work():
            self._n_open += 1
            try:
                async with asyncio.timeout(self._settings.max_seconds), self._lifecycle.deadline.limit():
                    score = await self._reward_model.score(trace.problem, trace.steps)
            except TimeoutError:
                if self._lifecycle.deadline.over:
                    raise not_now("DRAINING", "the server stopped before the reward model had answered") from None
                raise DeadlineExceeded(f"the reward model did not answer within {self._settings.max_seconds} s") from None
            finally:
                self._n_open -= 1
        return _checked(score)

    def _check(self, trace: TraceIn) -> None:
        settings = self._settings
        if len(trace.steps) > settings.max_steps:
            message = f"`steps` may have at most {settings.max_steps} items on this server, got {len(trace.steps)}"
            raise InvalidRequest(message, param="steps")
        if len(trace.problem) > settings.max_problem_chars:
            message = f"`problem` may have at most {settings.max_problem_chars} characters on this server"
            raise InvalidRequest(message, param="problem")


def create_scoring_app(reward_model: RewardModel, settings: Settings | None = None) -> FastAPI:
    """The application over ``reward_model``, which is closed when the server stops."""
    chosen = settings or Settings()
    lifecycle = Lifecycle()
    observed = Metrics()
    observed.built(version=VERSION, reward_model=reward_model.name)
    scorer = Scorer(ObservedRewardModel(reward_model, observed), chosen, lifecycle)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with aclosing(reward_model):
            lifecycle.models = {"reward_model": reward_model}
            yield

    app = FastAPI(title="Scores of a process reward model", version=VERSION, lifespan=lifespan)
    app.state.lifecycle = lifecycle
    app.state.readiness = Readiness(lifecycle)
    app.include_router(health.router)

    @app.post("/score", response_model=ScoreOut, responses={"default": {"model": ErrorBody, "description": "Any error"}})
    async def score(body: TraceIn, request: Request) -> ScoreOut | Response:
        """Judge the newest step of one trace. A client that goes away ends the call."""
        try:
            return await until_client_leaves(request.receive, scorer.score(body))
        except ClientGone:
            return Response(status_code=499)

    app.include_router(metrics.router)
    app.state.metrics = observed
    errors.install(app)
    gate.install(app, chosen)
    app.add_middleware(ObservedRequests, metrics=observed)
    return app


def _checked(score: Score) -> ScoreOut:
    if not 0 <= score.probability <= 1:
        raise RewardModelError("the reward model returned no probability in [0, 1]")
    return ScoreOut(probability=score.probability, n_tokens=score.n_tokens)
