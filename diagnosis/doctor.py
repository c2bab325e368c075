"""All checks of a generator and of a reward model, in the order in which one depends on the other."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Protocol, TypeVar

from epf.core.description import description_of
from epf.core.generator import Abilities, Generator, abilities_of
from epf.core.reward_model import RewardModel
from epf.diagnosis.check import Check, run_checks
from epf.diagnosis.finding import Finding, Outcome, ok
from epf.diagnosis.loading import in_thread
from epf.diagnosis.reward_checks import RewardChecks
from epf.diagnosis.sampling_checks import SamplingChecks
from epf.diagnosis.server_checks import ServerChecks
from epf.diagnosis.servers import examine_servers, generator_servers, reward_model_servers
from epf.diagnosis.token_checks import TokenChecks
from epf.engines.hub import model_directory
from epf.engines.onnx.pairs import embedded_directory, pair_in_options
from epf.engines.reference import EMBEDDED, NONE
from epf.generators.openai.discovery import ServedModel
from epf.generators.registry import GeneratorOptions, load_generator
from epf.generators.servers import tokenizer_of
from epf.reward_models.registry import RewardModelOptions, load_reward_model
from epf.search.methods import METHODS
from epf.search.pair import shipped_pair_of
from epf.search.runner import ABLE, is_able

M = TypeVar("M", Generator, RewardModel)

ADD_ONE = "For the other methods name one with --reward-model or EPF_REWARD_MODEL."

FOREIGN = "the embedded reward model does not know problems as this generator solves them, so its scores mean little"

LOADING_S = 600.0
"""Time limit for a model that loads in this process, in seconds."""


class Checks(Protocol):
    """Checks of a loaded model, which count the tokens that they cost."""

    n_tokens: int

    def checks(self) -> Iterator[Check]:
        """All checks, in order."""


class Doctor:
    """Examines the models that options describe.

    Attributes:
        n_tokens: number of tokens that the models have read and sampled so far.
    """

    def __init__(self, generator: GeneratorOptions, reward_model: RewardModelOptions) -> None:
        self._generator = generator
        self._reward_model = reward_model
        self._loaded: Generator | None = None
        self.n_tokens = 0

    async def findings(self) -> AsyncGenerator[Finding, None]:
        """Yield what each check finds, as soon as it does."""
        async with aclosing(self._examine_generator()) as findings:
            async for finding in findings:
                yield finding
        if self._reward_model.kind == NONE:
            # A server may show what it offers only when it is asked, so the abilities are those after all checks.
            abilities = ABLE if self._loaded is None else abilities_of(self._loaded)
            yield Finding("reward model", "reward model", "skipped", _without_one(abilities), ADD_ONE, 0.0)
            return
        for judge in self._reward_model.all:
            pair = pair_in_options(judge.name, "reward_model") if judge.kind == EMBEDDED else None
            if pair is not None and not pair.shares_generator(shipped_pair_of(self._generator)):
                advice = "Name another one with --reward-model, or none."
                yield Finding("reward model", "pairing", "warning", FOREIGN, advice, 0.0)
            async with aclosing(self._examine_reward_model(judge)) as findings:
                async for finding in findings:
                    yield finding

    async def _examine_generator(self) -> AsyncGenerator[Finding, None]:
        options, servers = self._generator, generator_servers(self._generator)

        async def checks_of(generator: Generator) -> list[Checks]:
            self._loaded = generator
            server = next((server for server in servers if server.served), None)
            served = server.served if server else None
            directory = await in_thread(lambda: _tokenizer_directory(options, served))
            endpoint, name = (server.endpoint, served.name) if server and served else (None, "")
            tokens = [] if directory is None else [TokenChecks(directory, endpoint, name)]
            return [*tokens, SamplingChecks(generator)]

        async with aclosing(self._examine("generator", servers, lambda: load_generator(options), checks_of)) as findings:
            async for finding in findings:
                yield finding

    async def _examine_reward_model(self, options: RewardModelOptions) -> AsyncGenerator[Finding, None]:
        async def checks_of(reward_model: RewardModel) -> list[Checks]:
            return [RewardChecks(reward_model)]

        servers = reward_model_servers(options)
        async with aclosing(self._examine("reward model", servers, lambda: load_reward_model(options), checks_of)) as findings:
            async for finding in findings:
                yield finding

    async def _examine(
        self,
        role: str,
        servers: Sequence[ServerChecks],
        load: Callable[[], M],
        checks_of: Callable[[M], Awaitable[Sequence[Checks]]],
    ) -> AsyncGenerator[Finding, None]:
        """Examine the servers of a model, load it unless they all fail, and examine the model."""
        failing: set[str] = set()
        loaded: list[M] = []

        async def loading() -> Outcome:
            loaded.append(await in_thread(load))
            return ok(_described(loaded[0]))

        try:
            async with aclosing(examine_servers(role, servers)) as findings:
                async for finding in findings:
                    failing |= {finding.subject} if finding.mark == "failed" else set()
                    yield finding
            failures = {"server"} if servers and len(failing) == len(servers) else set()
            async for finding in run_checks(role, [Check("loading", loading, ("server",), LOADING_S)], failures):
                yield finding
            for model in loaded:
                for group in await checks_of(model):
                    async for finding in run_checks(role, list(group.checks()), set()):
                        yield finding
                    self.n_tokens += group.n_tokens
        finally:
            for model in loaded:
                await model.aclose()
            for server in servers:
                await server.endpoint.aclose()


def _without_one(abilities: Abilities) -> str:
    """What can be done without a reward model, with a generator of these abilities."""
    usable = (name for name, method in METHODS.items() if not method.needs_reward_model and is_able(method, abilities))
    *names, last = sorted(usable)
    return f"there is no reward model: only the methods {', '.join(names)} and {last} can be used"


def _described(model: Generator | RewardModel) -> str:
    return ", ".join(filter(None, (model.name, description_of(model))))


def _tokenizer_directory(options: GeneratorOptions, served: ServedModel | None) -> Path | None:
    """Directory of the generator's tokenizer; None if it has none that can be read here."""
    if options.kind == EMBEDDED:
        return embedded_directory(options.name, "generator")
    if served is not None:
        return tokenizer_of(served, options.tokenizer)
    return model_directory(options.tokenizer or options.name or "")
