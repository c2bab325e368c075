"""Searchers on a Ray cluster (extra ``ray``): actors with models of their own, whose rows come back to who writes."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

from epf.core.errors import GeneratorError, InvalidRequest, SearchServiceError
from epf.core.extras import needed
from epf.evaluation.plan import Task
from epf.evaluation.rows import Row
from epf.evaluation.worker import LoadModels, Searcher, Worker

START_S = 900.0
"""Time for a cluster to find room for all actors and for their models to load."""

CONNECT_S = 10.0
CLOSE_S = 30.0
RESTARTS = 3


class RemoteWorker:
    """A :class:`~epf.evaluation.worker.Worker` that loads its models where it runs, at first use and again after a crash."""

    def __init__(self, load_models: LoadModels) -> None:
        self._load_models = load_models
        self._open = AsyncExitStack()
        self._loading = asyncio.Lock()
        self._worker: Worker | None = None

    async def ready(self) -> str | None:
        """Load the models; what went wrong if they cannot be loaded."""
        try:
            await self._loaded()
        except SearchServiceError as error:
            return error.message
        return None

    async def run(self, task: Task) -> Row | InvalidRequest:
        """Search and grade; a failure is a row too, and a refusal is handed back, since Ray would wrap it."""
        try:
            return await (await self._loaded()).run(task)
        except InvalidRequest as refusal:
            return refusal

    async def aclose(self) -> None:
        """Free the models."""
        await self._open.aclose()

    async def _loaded(self) -> Worker:
        async with self._loading:
            if self._worker is None:
                self._worker = Worker(await self._open.enter_async_context(self._load_models()))
            return self._worker


class RaySearcher:
    """An actor as a searcher."""

    def __init__(self, actor: Any, failure: type[Exception]) -> None:
        self._actor = actor
        self._failure = failure

    async def run(self, task: Task) -> Row:
        """The row of a search that ran elsewhere.

        Raises:
            InvalidRequest: as there.
            GeneratorError: the actor died more often than it may.
        """
        try:
            row: Row | InvalidRequest = await self._actor.run.remote(task)
        except self._failure as error:
            raise GeneratorError(f"a Ray worker is lost ({type(error).__name__}): the same command goes on") from error
        if isinstance(row, InvalidRequest):
            raise row
        return row


@asynccontextmanager
async def ray_searchers(
    address: str, load_models: LoadModels, *, n_workers: int | None, gpus: float, concurrency: int
) -> AsyncIterator[list[Searcher]]:
    """Connect and start workers; all are gone at the end.

    Args:
        address: as ``ray.init`` takes it; ``local`` starts a cluster on this machine.
        load_models: is pickled, and called where a worker runs.
        n_workers: None is one for each node.
        gpus: that each worker holds.
        concurrency: searches at a time on one worker.

    Raises:
        NotInstalled: Ray is missing.
        GeneratorError: the cluster cannot be reached, has no room, or a worker cannot load its models.
    """
    ray = needed("ray", "ray")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nobody who evaluates a model wants that told to others
    try:
        await _answers(address)
        ray.init(address, log_to_driver=False, include_dashboard=False if address == "local" else None, logging_level="ERROR")
    except Exception as error:  # of many kinds, down to Exception itself
        raise GeneratorError(f"no Ray cluster at {address}: {error}") from error
    try:
        nodes = sum(bool(node["Alive"]) for node in ray.nodes())
        actor = ray.remote(RemoteWorker).options(
            num_cpus=1,
            num_gpus=gpus,
            max_concurrency=concurrency + 1,
            max_restarts=RESTARTS,
            max_task_retries=RESTARTS,
            scheduling_strategy="SPREAD",
        )
        actors = [actor.remote(load_models) for _ in range(n_workers or nodes)]
        try:
            await _started(actors, ray)
            yield [RaySearcher(one, ray.exceptions.RayError) for one in actors]
        finally:
            with suppress(Exception):  # they are killed in any case
                await asyncio.wait_for(asyncio.gather(*(one.aclose.remote() for one in actors)), CLOSE_S)
    finally:
        ray.shutdown()


async def _answers(address: str) -> None:
    """Raise ``OSError`` unless something listens there: Ray itself would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, int(port)), CONNECT_S)
        writer.close()
        await writer.wait_closed()


async def _started(actors: list[Any], ray: Any) -> None:
    try:
        faults = await asyncio.wait_for(asyncio.gather(*(one.ready.remote() for one in actors)), START_S)
    except TimeoutError:
        told = f"the Ray cluster has no room for {len(actors)} workers: ask for fewer with --workers"
        raise GeneratorError(f"{told} (waited {START_S:.0f} s)") from None
    except ray.exceptions.RayError as error:
        raise GeneratorError(f"a Ray worker did not start: {type(error).__name__}: {error}") from error
    for fault in faults:
        if fault is not None:
            raise GeneratorError(f"a Ray worker cannot load its models: {fault}")
