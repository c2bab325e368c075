"""The servers of a model, and what costs nothing to find out about them."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Protocol

from pydantic import SecretStr

from epf.diagnosis.check import run_checks
from epf.diagnosis.endpoint import Endpoint, Owner
from epf.diagnosis.finding import Finding
from epf.diagnosis.generator_server import GeneratorServer
from epf.diagnosis.reward_model_server import RewardModelServer
from epf.diagnosis.server_checks import ServerChecks
from epf.generators.registry import GeneratorOptions
from epf.reward_models.registry import RewardModelOptions


class ServerOptions(Protocol):
    """What the options of both models have in common."""

    @property
    def urls(self) -> tuple[str, ...]:
        """Base URLs of the equivalent servers."""

    @property
    def api_key(self) -> SecretStr | None:
        """API key for these servers."""


def generator_servers(options: GeneratorOptions) -> list[GeneratorServer]:
    """Checks of the generator's servers; none if it runs in this process."""
    return [GeneratorServer(endpoint, options.name) for endpoint in _endpoints(options, "the generator")]


def reward_model_servers(options: RewardModelOptions) -> list[RewardModelServer]:
    """Checks of the reward model's servers; none if it runs in this process."""
    return [RewardModelServer(each, options.name, options.family) for each in _endpoints(options, "the reward model")]


def _endpoints(options: ServerOptions, owner: Owner) -> list[Endpoint]:
    key = options.api_key.get_secret_value().strip() if options.api_key else ""
    return [Endpoint(url, owner, key) for url in options.urls]


async def examine_servers(role: str, servers: Sequence[ServerChecks]) -> AsyncGenerator[Finding, None]:
    """Yield what the checks of each server find. They cost no tokens."""
    for server in servers:
        async with aclosing(run_checks(f"{role} at {server.endpoint.shown}", list(server.checks()), set())) as findings:
            async for finding in findings:
                yield finding
