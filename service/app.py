"""The HTTP application: rooms and routes put together. No algorithm lives here."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from generators.protocol import Generator
from reward_models.protocol import RewardModel
from service import errors, gate, openapi
from service.admission import Unbounded
from service.batch import BatchEvent
from service.chat.response import ChatCompletionChunk
from service.models import models_of, with_checker
from service.routes import batch, cancel, chat, health, models, score, solve
from service.searches import Searches
from service.settings import Settings
from service.streamed import SolveEvent
from service.version import VERSION


def create_app(
    generator: Generator | None = None, reward_model: RewardModel | None = None, settings: Settings | None = None
) -> FastAPI:
    """The application over one generator and one reward model.

    ``settings`` of None are read from the environment. Models given here stay the caller's to close; without them those that
    the settings name are loaded when the server starts and closed when it stops.

    Raises:
        ValueError: only one of the two is given.
    """
    if (generator is None) != (reward_model is None):
        raise ValueError("give both a generator and a reward model, or neither")

    chosen = settings or Settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        models_of_process = (
            models_of(chosen) if generator is None or reward_model is None else with_checker(generator, reward_model)
        )
        async with models_of_process as models:
            app.state.models = models
            app.state.settings = chosen
            app.state.searches = Searches(models, Unbounded())
            yield

    app = FastAPI(
        title="Entropic particle filtering",
        summary="Searches with a language model and a process reward model for the answer of a problem.",
        version=VERSION,
        lifespan=lifespan,
    )
    app.include_router(solve.router)
    app.include_router(batch.router)
    app.include_router(cancel.router)
    app.include_router(score.router)
    app.include_router(chat.router)
    app.include_router(models.router)
    app.include_router(health.router)
    errors.install(app)
    openapi.install(app, SolveEvent, BatchEvent, ChatCompletionChunk)
    gate.install(app, chosen)
    return app
