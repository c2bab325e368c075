"""vLLM's endpoint plug-in ``epf``: ``VLLM_PLUGINS=epf vllm serve MODEL`` searches with the engine of that server.

vLLM loads it through the entry point group ``vllm.endpoint_plugins`` (vLLM 0.32, "Endpoint plugins"). The search service is an
application of its own, to which requests for its paths are passed on. Particles reach the engine through vLLM's own client,
without HTTP and without a second tokenization. Settings are the same ``EPF_`` variables as those of ``epf serve``, but for
those that vLLM decides: the generator, the keys, and all that concerns connections.
"""

import logging
from argparse import Namespace
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from epf.core.generator import Generator
from epf.generators.vllm import generator_on
from epf.search.pair import paired
from epf.service.app import create_app
from epf.service.inside_vllm.metrics import shown_on_vllm_s_metrics
from epf.service.inside_vllm.routes import attach_routes
from epf.service.inside_vllm.settings import served_name, settings_inside
from epf.service.settings import Settings

logger = logging.getLogger(__name__)


class EpfPlugin:
    """What vLLM asks of an endpoint plug-in: a name, routes, and a state that begins with the engine."""

    name = "epf"
    required_tasks = ("generate",)

    def __init__(self) -> None:
        self.__name__ = self.name  # vLLM logs the name of the endpoint of each route
        self._app: FastAPI | None = None
        self._generator: Generator | None = None
        self._settings = Settings.model_construct()

    def attach_router(self, app: FastAPI) -> None:
        """Add the paths of the service to vLLM's application, and open its models when that starts."""
        attach_routes(app, self)
        app.router.lifespan_context = self._within(app.router.lifespan_context)

    async def init_state(self, engine_client: Any, state: Any, args: Namespace) -> None:
        """Take vLLM's engine and its arguments. Without an engine, as in its render server, there is no search.

        Raises:
            InvalidRequest: a setting contradicts vLLM's arguments.
        """
        if engine_client is None:
            return
        self._settings = settings_inside(args)
        self._generator = generator_on(engine_client, name=served_name(args))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on to the service."""
        app: ASGIApp = _WITHOUT_ENGINE if self._app is None else self._app
        own = {name: value for name, value in scope.items() if name not in ("router", "endpoint", "path_params", "route")}
        await app(own, receive, send)

    def _within(self, lifespan: Callable[[Any], AbstractAsyncContextManager[Any]]) -> Callable[[Any], Any]:
        @asynccontextmanager
        async def both(app: Any) -> AsyncIterator[Any]:
            async with lifespan(app) as state, self._running():
                yield state

        return both

    @asynccontextmanager
    async def _running(self) -> AsyncIterator[None]:
        """The service while vLLM serves. vLLM ends its engine itself."""
        if self._generator is None:
            yield
            return
        settings = self._settings
        async with paired(self._generator, settings.reward_model).open() as (generator, reward_model):
            app = create_app(generator, reward_model, settings)
            async with app.router.lifespan_context(app), shown_on_vllm_s_metrics(app):
                self._app = app
                logger.info("Searches run inside vLLM, scored by %s", "none" if reward_model is None else reward_model.name)
                yield
            self._app = None


_WITHOUT_ENGINE = JSONResponse(
    {"error": {"message": "This server has no engine to search with.", "type": "server_error"}}, status_code=503
)
