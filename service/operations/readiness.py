"""Whether a server can work: a check of its models, cached for a moment."""

import asyncio
import logging
import time
from collections.abc import Callable, Collection

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
        self._failing: list[str] = []
        self._refused: Collection[str] = ()

    async def check(self) -> None:
        """Raise ``Overloaded``, with a message that begins with the state, unless the server is HEALTHY."""
        if self._lifecycle.draining:
            raise unavailable("DRAINING", "the server is shutting down")
        self._lifecycle.check_loaded()
        async with self._checking:
            if self._clock() - self._checked_s >= CACHED_S:
                await self._check_models()
        failing = [role.replace("_", " ") for role in self._lifecycle.models if role in self._failing or role in self._refused]
        if failing:
            raise unavailable("UNHEALTHY", f"the {' and the '.join(failing)} would fail")

    def report_refused(self, roles: Collection[str]) -> None:
        """Count the models of these roles, and no others, as failing: their servers are well, but refuse requests."""
        self._refused = roles

    async def _check_models(self) -> None:
        models = self._lifecycle.models
        failures = await asyncio.gather(*map(_failure, models.values()))
        self._failing = [role for role, failure in zip(models, failures, strict=True) if failure]
        self._checked_s = self._clock()
        for role, failure in zip(models, failures, strict=True):
            if failure:
                logger.warning("the %s is not ready: %s", role.replace("_", " "), failure)


async def _failure(model: Model) -> str | None:
    """Class of the error with which a call of the model would fail now, without its message, which may quote anything."""
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await model.ready()
    except Exception as error:
        return type(error).__name__
    return None
