"""The scoring server, ``epf serve-prm``: one reward model for searches on other machines. No search runs here."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from errors import DeadlineExceeded, InvalidRequest, Overloaded, RewardModelError
from reward_models.protocol import RewardModel, Score
from service import errors, gate
from service.disconnect import ClientGone, until_client_leaves
from service.schemas import ErrorBody
from service.settings import Settings
from service.version import VERSION

PROBE = ("1 + 1 = ?", ("1 + 1 = 2.",))


class TraceIn(BaseModel):
    """A solution so far, to be judged by its newest step."""

    model_config = ConfigDict(extra="forbid", strict=True)

    problem: str
    steps: list[str] = Field(min_length=1)


class ScoreOut(BaseModel):
    """What the reward model says of one trace."""

    probability: float = Field(ge=0, le=1, allow_inf_nan=False, description="That all steps so far are right.")
    n_tokens: int = Field(ge=0, description="Tokens computed for it; cached ones do not count.")


class ScorerHealth(BaseModel):
    """Alive, or ready."""

    status: str = "ok"
    version: str = VERSION
    reward_model: str


class Scorer:
    """The reward model with the server's limits around it."""

    def __init__(self, reward_model: RewardModel, settings: Settings) -> None:
        self.reward_model = reward_model
        self._settings = settings
        self._n_open = 0
        self.failing = False

    async def score(self, trace: TraceIn) -> ScoreOut:
        """Score one trace. Raises ``InvalidRequest``, ``Overloaded``, ``DeadlineExceeded`` and what the reward model raises."""
        self._check(trace)
        limit = self._settings.max_particles_in_flight + self._settings.max_particles_queued
        if self._n_open >= limit:
            raise Overloaded(f"{limit} traces are being scored already: try again", retry_after_s=1.0)
        self._n_open += 1
        try:
            async with asyncio.timeout(self._settings.max_seconds):
                score = await self.reward_model.score(trace.problem, trace.steps)
        except TimeoutError:
            raise DeadlineExceeded(f"the reward model did not answer within {self._settings.max_seconds} s") from None
        except RewardModelError:
            self.failing = True
            raise
        finally:
            self._n_open -= 1
        self.failing = False
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
    scorer = Scorer(reward_model, chosen)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with aclosing(reward_model):
            yield

    app = FastAPI(title="Scores of a process reward model", version=VERSION, lifespan=lifespan)
    failure: dict[int | str, dict[str, Any]] = {"default": {"model": ErrorBody, "description": "Any error"}}

    @app.post("/score", response_model=ScoreOut, responses=failure)
    async def score(body: TraceIn, request: Request) -> ScoreOut | Response:
        """Judge the newest step of one trace. A client that goes away ends the call."""
        try:
            return await until_client_leaves(request.receive, scorer.score(body))
        except ClientGone:
            return Response(status_code=499)

    @app.get("/healthz")
    async def healthz() -> ScorerHealth:
        """The process is alive."""
        return ScorerHealth(reward_model=reward_model.name)

    @app.get("/readyz", responses=failure)
    async def readyz() -> ScorerHealth:
        """The reward model answers; after a failure it is asked."""
        if scorer.failing:
            try:
                await scorer.score(TraceIn(problem=PROBE[0], steps=list(PROBE[1])))
            except (RewardModelError, DeadlineExceeded):
                raise Overloaded("the reward model does not answer", retry_after_s=5.0) from None
        return ScorerHealth(reward_model=reward_model.name)

    errors.install(app)
    gate.install(app, chosen)
    return app


def _checked(score: Score) -> ScoreOut:
    if not 0 <= score.probability <= 1:
        raise RewardModelError("the reward model returned no probability in [0, 1]")
    return ScoreOut(probability=score.probability, n_tokens=score.n_tokens)
