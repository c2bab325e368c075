"""Searchers on a Ray cluster (extra ``ray``): actors with their own models, which return their rows to this process."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

from epf.core.errors import GeneratorError, InvalidRequest, SearchServiceError
from epf.core.extras import import_extra
from epf.evaluation.plan import Task
from epf.evaluation.rows import Row
from epf.evaluation.worker import LoadModels, Searcher, Worker

START_S = 900.0
"""Maximum time for a cluster to place all actors and for their models to load, in seconds."""

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
        """Load the models; return the error message if they cannot be loaded, else None."""
        try:
            await self._loaded()
        except SearchServiceError as error:
            return error.message
        return None

    async def run(self, task: Task) -> Row | InvalidRequest:
        """Search, grade, and return the row; an ``InvalidRequest`` is returned, because Ray would wrap a raised one."""
        try:
            return await (await self._loaded()).run(task)
        except InvalidRequest as error:
            return error

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
        """Return the row of a search that ran elsewhere.

        Raises:
            InvalidRequest: the method cannot search with these models.
            GeneratorError: the actor died more often than it is restarted.
        """
        try:
            row: Row | InvalidRequest = await self._actor.run.remote(task)
        except self._failure as error:
            raise GeneratorError(
                f"A Ray worker was lost ({type(error).__name__}). The same command resumes the run."
            ) from error
        if isinstance(row, InvalidRequest):
            raise row
        return row


@asynccontextmanager
async def ray_searchers(
    address: str, load_models: LoadModels, *, n_workers: int | None, gpus: float, concurrency: int
) -> AsyncIterator[list[Searcher]]:
    """Connect to a cluster and start workers, which are stopped at the end.

    Args:
        address: address for ``ray.init``; ``local`` starts a cluster on this machine.
        load_models: opens the models of a worker; it is pickled and called where the worker runs.
        n_workers: number of workers; None is one per node.
        gpus: number of GPUs that each worker holds.
        concurrency: maximum number of searches at the same time on one worker.

    Raises:
        NotInstalled: Ray is missing.
        GeneratorError: the cluster cannot be reached, has too few resources, or a worker cannot load its models.
    """
    ray = import_extra("ray", "ray")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # an evaluation is not reported to others
    try:
        await _check_reachable(address)
        ray.init(address, log_to_driver=False, include_dashboard=False if address == "local" else None, logging_level="ERROR")
    except Exception as error:  # Ray raises many classes, down to Exception itself
        raise GeneratorError(f"There is no Ray cluster at {address}: {error}") from error
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
            with suppress(Exception):  # the shutdown kills them in any case
                await asyncio.wait_for(asyncio.gather(*(one.aclose.remote() for one in actors)), CLOSE_S)
    finally:
        ray.shutdown()


async def _check_reachable(address: str) -> None:
    """Raise ``OSError`` unless something listens at the address: Ray itself would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, int(port)), CONNECT_S)
        writer.close()
        await writer.wait_closed()


async def _started(actors: list[Any], ray: Any) -> None:
    try:
        faults = await asyncio.wait_for(asyncio.gather(*(one.ready.remote() for one in actors)), START_S)
    except TimeoutError:
        message = f"The Ray cluster did not start {len(actors)} workers within {START_S:.0f} s. Ask for fewer with --workers."
        raise GeneratorError(message) from None
    except ray.exceptions.RayError as error:
        raise GeneratorError(f"A Ray worker did not start: {type(error).__name__}: {error}") from error
    for fault in faults:
        if fault is not None:
            raise GeneratorError(f"A Ray worker cannot load its models: {fault}")
