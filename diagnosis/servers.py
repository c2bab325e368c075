"""The servers of a model, and what costs nothing to find out about them."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Protocol

from pydantic import SecretStr

from epf.diagnosis.check import run_checks
from epf.diagnosis.endpoint import Endpoint, Owner
from epf.diagnosis.finding import Finding
from epf.diagnosis.server_checks import Routes, ServerChecks
from epf.generators.registry import GeneratorOptions
from epf.reward_models.by_ids import ROUTES
from epf.reward_models.judge import PROMPTS
from epf.reward_models.registry import RewardModelOptions

MODEL: Mapping[str, Any] = {"model": "", "max_tokens": 1}
GENERATOR_ROUTES: Routes = {"/v1/completions": {**MODEL, "prompt": {}}, "/v1/chat/completions": {**MODEL, "messages": {}}}
"""Where a generator is served."""


class ModelOptions(Protocol):
    """What the options of both models have in common."""

    @property
    def urls(self) -> tuple[str, ...]:
        """Base URLs of the equivalent servers."""

    @property
    def api_key(self) -> SecretStr | None:
        """API key for these servers."""

    @property
    def name(self) -> str | None:
        """Name of the model."""


def generator_servers(options: GeneratorOptions) -> list[ServerChecks]:
    """Checks of the generator's servers; none if it runs in this process."""
    return [ServerChecks(endpoint, options.name, GENERATOR_ROUTES) for endpoint in _endpoints(options, "the generator")]


def reward_model_servers(options: RewardModelOptions) -> list[ServerChecks]:
    """Checks of the reward model's servers; none if it runs in this process."""
    routes, lists = _reward_model_routes(options), options.family is not None
    return [ServerChecks(each, options.name, routes, lists_models=lists) for each in _endpoints(options, "the reward model")]


def _endpoints(options: ModelOptions, owner: Owner) -> list[Endpoint]:
    key = options.api_key.get_secret_value().strip() if options.api_key else ""
    return [Endpoint(url, owner, key) for url in options.urls]


def _reward_model_routes(options: RewardModelOptions) -> Routes:
    """Where a reward model of this family is served."""
    if options.family is None:
        return {"/score": {}}
    if options.family in PROMPTS:
        return {"/v1/chat/completions": {**MODEL, "messages": {}}}
    return {path: {**MODEL, "prompt": {}, "input": {}} for path in ROUTES.values()}


async def examine_servers(role: str, servers: Sequence[ServerChecks]) -> AsyncGenerator[Finding, None]:
    """Yield what the checks of each server find. They cost no tokens."""
    for server in servers:
        async with aclosing(run_checks(f"{role} at {server.endpoint.shown}", list(server.checks()), set())) as findings:
            async for finding in findings:
                yield finding
