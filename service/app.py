"""The HTTP application of the search service: its routes, middleware and state. It contains no algorithm."""

import logging
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

from fastapi import FastAPI

from epf.core.generator import Generator
from epf.core.reward_model import RewardModel
from epf.core.version import VERSION
from epf.entropy.registry import TOOLS
from epf.entropy.report import ReportRequest
from epf.service import health
from epf.service.batch import router as batch
from epf.service.batch.schemas import BatchEvent
from epf.service.chat import models_router as models
from epf.service.chat import router as chat
from epf.service.chat.response import ChatCompletionChunk
from epf.service.completions import router as completions
from epf.service.entropy import router as entropy
from epf.service.history import router as history
from epf.service.history.state import HistoryState
from epf.service.http import errors, openapi, pages
from epf.service.http.middleware import stack as middleware
from epf.service.operations.metrics import SearchMetrics
from epf.service.operations.server_checks import ServerWatch
from epf.service.operations.workers import Workers
from epf.service.responses import router as responses
from epf.service.responses.events import ResponseStreamEvent
from epf.service.responses.state import ResponsesState
from epf.service.score import router as score
from epf.service.searches.admission import admission_of
from epf.service.searches.found import found
from epf.service.searches.lease import Searches
from epf.service.searches.models import Models, in_background, load_confidence, open_service_models, with_checker
from epf.service.settings import Settings
from epf.service.solve import methods
from epf.service.solve import router as solve
from epf.service.solve.events import SolveEvent
from epf.service.state import ServiceState
from epf.service.web import mathml
from epf.service.web import router as web
from epf.service.web.addresses import PageAddresses

logger = logging.getLogger(__name__)


def create_app(
    generator: Generator | None = None, reward_model: RewardModel | None = None, settings: Settings | None = None
) -> FastAPI:
    """The application for one generator and one reward model, or none.

    ``settings`` default to those of the environment. The caller closes models that it passes. Without a generator, the
    application loads the models of the settings in the background after it has started, and closes them when it stops.

    Raises:
        ValueError: a reward model is given without a generator.
        InvalidRequest: the settings contradict each other.
    """
    if generator is None and reward_model is not None:
        raise ValueError("a reward model needs a generator: give both, a generator alone, or neither")

    settings = settings or Settings()
    state = _state_of(settings)

    def begin(models: Models) -> None:
        if generator is None:
            for line in found(settings, models):
                logger.info(line)
        state.searches = Searches(
            models, state.admission, state.lifecycle, state.metrics, state.rate_limits.charge, kept_searches.record
        )
        scored_by = {} if models.reward_model is None else {"reward_model": models.reward_model}
        state.lifecycle.models = {"generator": models.generator, **scored_by}
        state.metrics.set_build(version=VERSION, **{role: model.name for role, model in state.lifecycle.models.items()})

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        workers = Workers(
            settings.max_entropy_workers, max_waiting=settings.max_entropy_waiting, limit_s=settings.max_entropy_seconds
        )
        state.workers = workers
        async with aclosing(workers), kept_searches.running():
            if generator is None:
                watch = ServerWatch(settings.generator, settings.reward_model, state.readiness.report_refused)

                def begin_and_watch(models: Models) -> None:
                    begin(models)
                    watch.start()

                models_in_background = in_background(open_service_models(settings), begin_and_watch, state.lifecycle)
                async with aclosing(watch), models_in_background, aclosing(searches_in_background):
                    yield
            else:
                confidence = await load_confidence(settings, generator, reward_model)
                async with with_checker(generator, reward_model, confidence) as models, aclosing(searches_in_background):
                    begin(models)
                    yield

    app = FastAPI(
        title="Entropic particle filtering",
        summary="Solves problems by a search with a language model and a process reward model.",
        version=VERSION,
        lifespan=lifespan,
        redirect_slashes=False,
        **pages.OFF,
    )
    state.attach(app)
    searches_in_background = ResponsesState.attach(app, settings).background
    kept_searches = HistoryState.attach(app, settings, state.metrics)
    for module in (solve, methods, batch, score, chat, completions, responses, models, entropy, history, health, mathml, web):
        app.include_router(module.router)
    errors.install(app)
    pages.install(app)
    openapi.install(
        app,
        SolveEvent,
        BatchEvent,
        ChatCompletionChunk,
        ResponseStreamEvent,
        bodies=[ReportRequest, *(tool.input for tool in TOOLS.values())],
    )
    middleware.install(app, state, open_paths=web.paths())
    app.add_middleware(PageAddresses)
    return app


def _state_of(settings: Settings) -> ServiceState:
    admission = admission_of(settings)
    metrics = SearchMetrics()
    metrics.watch_particles(running=lambda: admission.n_running, waiting=lambda: admission.n_waiting)
    return ServiceState(settings=settings, metrics=metrics, admission=admission)
