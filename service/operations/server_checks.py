"""Checks of the models' servers when the service starts, so that a wrong key is seen then and not at the first request."""

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress

from epf.diagnosis.finding import Finding
from epf.diagnosis.server_checks import ServerChecks
from epf.diagnosis.servers import examine_servers, generator_servers, reward_model_servers
from epf.generators.registry import GeneratorOptions
from epf.reward_models.registry import RewardModelOptions

logger = logging.getLogger(__name__)

AGAIN_S = 10.0
"""Time after which servers are checked again if a check failed, in seconds."""

REFUSALS = frozenset({"key", "route"})
"""Checks whose failure the health of a server does not show."""


class ServerWatch:
    """Checks the servers of both models in a task of its own, again until every check passes. The checks cost no tokens.

    Each failure is logged once. ``report`` receives the roles of the models whose servers all refuse requests; of several
    reward models, one suffices.
    """

    def __init__(
        self, generator: GeneratorOptions, reward_model: RewardModelOptions, report: Callable[[Collection[str]], None]
    ) -> None:
        self._generator = generator
        self._reward_model = reward_model
        self._report = report
        self._logged: set[tuple[str, str]] = set()
        self._checking: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to check."""
        self._checking = asyncio.create_task(self._check_until_right())

    async def aclose(self) -> None:
        """Check no more."""
        if self._checking is not None:
            self._checking.cancel()
            with suppress(asyncio.CancelledError):
                await self._checking

    async def _check_until_right(self) -> None:
        while await self._some_fail():
            await asyncio.sleep(AGAIN_S)

    async def _some_fail(self) -> bool:
        models: list[tuple[str, Sequence[ServerChecks]]] = [
            ("generator", generator_servers(self._generator)),
            *(("reward_model", reward_model_servers(each)) for each in self._reward_model.all),
        ]
        failures = [(role, [await _failures_of(role, server) for server in servers]) for role, servers in models]
        self._report({role for role, found in failures if found and all(map(_refuses, found))})
        for failure in [failure for _, found in failures for each in found for failure in each]:
            if (failure.subject, failure.check) not in self._logged:
                self._logged.add((failure.subject, failure.check))
                said = " ".join(_sentence(part) for part in (failure.found, failure.advice) if part)
                logger.error("%s: %s: %s", failure.subject, failure.check, said)
        return any(any(found) for _, found in failures)


async def _failures_of(role: str, server: ServerChecks) -> list[Finding]:
    try:
        found = examine_servers(role.replace("_", " "), [server])
        return [finding async for finding in found if finding.mark == "failed"]
    finally:
        await server.endpoint.aclose()


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def _refuses(failures: Collection[Finding]) -> bool:
    return any(failure.check in REFUSALS for failure in failures)
