"""Whether a server could do its work now: asked of its models, and remembered for a moment."""

import asyncio
import logging
import time
from collections.abc import Callable

from epf.service.operations.lifecycle import Lifecycle, Model, not_now

logger = logging.getLogger(__name__)

REMEMBERED_S = 1.0
"""However many ask, the models are asked once in so many seconds."""
ANSWERS_WITHIN_S = 5.0


class Readiness:
    """Asks the models of a lifecycle. ``clock`` counts monotonic seconds."""

    def __init__(self, lifecycle: Lifecycle, clock: Callable[[], float] = time.monotonic) -> None:
        self._lifecycle = lifecycle
        self._clock = clock
        self._asking = asyncio.Lock()
        self._asked_s = -REMEMBERED_S
        self._silent: list[str] = []

    async def check(self) -> None:
        """Raise ``Overloaded``, its message beginning with the state, unless the server is HEALTHY."""
        if self._lifecycle.draining:
            raise not_now("DRAINING", "the server is about to stop")
        self._lifecycle.check_loaded()
        async with self._asking:
            if self._clock() - self._asked_s >= REMEMBERED_S:
                await self._ask()
        if self._silent:
            raise not_now("UNHEALTHY", f"the {' and the '.join(self._silent)} would fail")

    async def _ask(self) -> None:
        models = self._lifecycle.models
        failures = await asyncio.gather(*map(_failure, models.values()))
        self._silent = [role.replace("_", " ") for role, failure in zip(models, failures, strict=True) if failure]
        self._asked_s = self._clock()
        for role, failure in zip(models, failures, strict=True):
            if failure:
                logger.warning("the %s is not ready: %s", role.replace("_", " "), failure)


async def _failure(model: Model) -> str | None:
    """Why a call of the model would fail now; not in the model's words, which may quote anything."""
    try:
        async with asyncio.timeout(ANSWERS_WITHIN_S):
            await model.ready()
    except Exception as error:
        return type(error).__name__
    return None
