"""The HTTP application: rooms and routes put together. No algorithm lives here."""

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

from fastapi import FastAPI

from epf.core.generator import Generator
from epf.core.reward_model import RewardModel
from epf.core.version import VERSION
from epf.entropy.registry import TOOLS
from epf.service.batch import router as batch
from epf.service.batch.run import BatchEvent
from epf.service.chat import models_router as models
from epf.service.chat import router as chat
from epf.service.chat.response import ChatCompletionChunk
from epf.service.entropy import router as entropy
from epf.service.entropy.workers import Workers
from epf.service.http import errors, openapi
from epf.service.http.middleware import stack as gate
from epf.service.operations import health
from epf.service.operations import metrics_router as metrics
from epf.service.operations.instrumentation import ObservedRequests
from epf.service.operations.lifecycle import Lifecycle
from epf.service.operations.loading import in_background
from epf.service.operations.metrics import SearchMetrics
from epf.service.operations.readiness import Readiness
from epf.service.score import router as score
from epf.service.searches import cancel
from epf.service.searches.admission import admission_of
from epf.service.searches.lease import Searches
from epf.service.searches.models import Models, models_of, with_checker
from epf.service.settings import Settings
from epf.service.solve import router as solve
from epf.service.solve.events import SolveEvent


def create_app(
    generator: Generator | None = None, reward_model: RewardModel | None = None, settings: Settings | None = None
) -> FastAPI:
    """The application over one generator and one reward model.

    ``settings`` of None are read from the environment. Models given here stay the caller's to close; without them those that
    the settings name are loaded when the server has started, while it answers already, and closed when it stops.

    Raises:
        ValueError: only one of the two is given.
        InvalidRequest: settings that do not fit together.
    """
    if (generator is None) != (reward_model is None):
        raise ValueError("give both a generator and a reward model, or neither")

    chosen = settings or Settings()
    lifecycle = Lifecycle()
    admission = admission_of(chosen)
    observed = SearchMetrics()
    observed.watch_particles(running=lambda: admission.n_running, waiting=lambda: admission.n_waiting)

    def begin(models: Models) -> None:
        app.state.models = models
        app.state.searches = Searches(models, admission, lifecycle, observed)
        lifecycle.models = {"generator": models.generator, "reward_model": models.reward_model}
        observed.built(version=VERSION, generator=models.generator.name, reward_model=models.reward_model.name)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        workers = Workers(
            chosen.max_entropy_workers, max_waiting=chosen.max_entropy_waiting, limit_s=chosen.max_entropy_seconds
        )
        app.state.workers = workers
        async with aclosing(workers):
            if generator is None or reward_model is None:
                async with in_background(models_of(chosen), begin, lifecycle):
                    yield
            else:
                async with with_checker(generator, reward_model) as models:
                    begin(models)
                    yield

    app = FastAPI(
        title="Entropic particle filtering",
        summary="Searches with a language model and a process reward model for the answer of a problem.",
        version=VERSION,
        lifespan=lifespan,
    )
    app.state.settings = chosen
    app.state.lifecycle = lifecycle
    app.state.readiness = Readiness(lifecycle)
    app.state.admission = admission
    app.include_router(solve.router)
    app.include_router(batch.router)
    app.include_router(cancel.router)
    app.include_router(score.router)
    app.include_router(chat.router)
    app.include_router(models.router)
    app.include_router(entropy.router)
    app.include_router(health.router)
    app.include_router(metrics.router)
    app.state.metrics = observed
    errors.install(app)
    openapi.install(app, SolveEvent, BatchEvent, ChatCompletionChunk, bodies=[tool.input for tool in TOOLS.values()])
    gate.install(app, chosen)
    app.add_middleware(ObservedRequests, metrics=observed)
    return app
