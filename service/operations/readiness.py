"""Whether a server can work: a check of its models, cached for a moment."""

import asyncio
import logging
import time
from collections.abc import Callable, Collection
from typing import NamedTuple

from epf.core.errors import SearchServiceError
from epf.service.operations.lifecycle import Lifecycle, Model, unavailable

logger = logging.getLogger(__name__)

CACHED_S = 1.0
"""The models are checked at most once per this interval, however many probes arrive."""
TIMEOUT_S = 5.0


class Readiness:
    """Checks the models of a lifecycle. ``clock`` returns monotonic seconds."""

    def __init__(self, lifecycle: Lifecycle, clock: Callable[[], float] = time.monotonic) -> None:
        self._lifecycle = lifecycle
        self._clock = clock
        self._checking = asyncio.Lock()
        self._checked_s = -CACHED_S
        self._failing: dict[str, str] = {}
        self._refused: Collection[str] = ()

    async def check(self) -> None:
        """Raise ``Overloaded``, with a message that begins with the state, unless the server is HEALTHY."""
        if self._lifecycle.draining:
            raise unavailable("DRAINING", "the server is shutting down")
        self._lifecycle.check_loaded()
        async with self._checking:
            if self._clock() - self._checked_s >= CACHED_S:
                await self._check_models()
        failing = self._failing | dict.fromkeys(self._refused, "refuses requests")
        if failing:
            names = {role: f"the {role.replace('_', ' ')}" for role in self._lifecycle.models if role in failing}
            reasons = "; ".join(f"{name}'s server {failing[role]}" for role, name in names.items() if failing[role])
            raise unavailable("UNHEALTHY", f"{' and '.join(names.values())} would fail{f' ({reasons})' * bool(reasons)}")

    def report_refused(self, roles: Collection[str]) -> None:
        """Count the models of these roles, and no others, as failing: their servers are well, but refuse requests."""
        self._refused = roles

    async def _check_models(self) -> None:
        models = self._lifecycle.models
        failures = await asyncio.gather(*map(_failure, models.values()))
        self._failing = {}
        self._checked_s = self._clock()
        for role, failure in zip(models, failures, strict=True):
            if failure is not None:
                self._failing[role] = failure.unready
                logger.warning("the %s is not ready: %s", role.replace("_", " "), failure.logged)


class _Failure(NamedTuple):
    """Why a call of a model would fail now, for the log, and in words that complete "its server ...", which may be empty."""

    logged: str
    unready: str = ""


async def _failure(model: Model) -> _Failure | None:
    """Why a call of the model would fail now. The message of an error may quote anything, unless it is about its servers."""
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await model.ready()
    except SearchServiceError as error:
        return _Failure(error.message if error.unready else type(error).__name__, error.unready)
    except Exception as error:
        return _Failure(type(error).__name__)
    return None
