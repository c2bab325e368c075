"""What ``epf doctor`` finds out about models that sample and score: the embedded pair, with one fault at a time."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from epf.core.errors import GeneratorError, InvalidRequest, RewardModelError
from epf.core.generator import Abilities, Generator, GeneratorWrapper, Message, Sampling, Step
from epf.core.reward_model import RewardModelWrapper, Score
from epf.diagnosis.check import Check, run_checks
from epf.diagnosis.finding import Finding, Outcome, ok
from epf.diagnosis.reward_checks import RewardChecks
from epf.diagnosis.sampling_checks import SamplingChecks
from epf.engines.onnx.pairs import STORIES
from epf.generators.embedded import EmbeddedGenerator
from epf.reward_models.embedded import EmbeddedRewardModel


def all_of(checks: Sequence[Check]) -> dict[str, Finding]:
    """What the checks find, by name."""

    async def main() -> dict[str, Finding]:
        async with asyncio.timeout(60):
            return {finding.check: finding async for finding in run_checks("it", checks, set())}

    return asyncio.run(main())


@pytest.fixture(scope="module")
def generator() -> Iterator[EmbeddedGenerator]:
    embedded = EmbeddedGenerator(STORIES.generator)
    yield embedded
    asyncio.run(embedded.aclose())


def sampled(generator: Generator, *names: str) -> dict[str, Finding]:
    """What is found about a generator by the checks of these names, or by all."""
    return all_of([check for check in SamplingChecks(generator).checks() if not names or check.name in names])


class Faulty(GeneratorWrapper):
    """A generator whose steps pass through ``change``."""

    def change(self, step: Step) -> Step:
        return step

    async def step(self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int) -> Step:
        return self.change(await super().step(prefix_ids, sampling, seed))


class IgnoresSeeds(GeneratorWrapper):
    async def step(self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int) -> Step:
        return await super().step(prefix_ids, sampling, 0)


class Sure(IgnoresSeeds):
    """It gives one text because it knows no other."""

    async def step(self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int) -> Step:
        step = await super().step(prefix_ids, sampling, seed)
        return replace(step, log_probs=(0.0,) * len(step.log_probs))


class SeedsOfItsOwn(GeneratorWrapper):
    n = 0

    async def step(self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int) -> Step:
        self.n += 1
        return await super().step(prefix_ids, sampling, self.n)


class NeverGreedy(SeedsOfItsOwn):
    async def step(self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int) -> Step:
        return await super().step(prefix_ids, replace(sampling, temperature=8.0), seed)


class BeginsAnew(GeneratorWrapper):
    """Replies to the prompt whatever was sampled after it, as a server that cannot continue a reply."""

    prompt: tuple[int, ...] = ()

    def prompt_ids(self, messages: Sequence[Message]) -> tuple[int, ...]:
        self.prompt = super().prompt_ids(messages)
        return self.prompt

    async def step(self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int) -> Step:
        return await super().step(self.prompt, sampling, seed)


class CannotContinue(GeneratorWrapper):
    @property
    def abilities(self) -> Abilities:
        return Abilities(continues=False)


class NeverStops(GeneratorWrapper):
    async def step(self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int) -> Step:
        return await super().step(prefix_ids, replace(sampling, separator=""), seed)


class NeverEnds(Faulty):
    def change(self, step: Step) -> Step:
        return replace(step, finish="length")


class WithoutLogProbs(Faulty):
    def change(self, step: Step) -> Step:
        return replace(step, log_probs=())


class WrongLogProbs(Faulty):
    def change(self, step: Step) -> Step:
        return replace(step, log_probs=(*step.log_probs[:-1], 0.5))


class OneParagraph(Faulty):
    def change(self, step: Step) -> Step:
        return replace(step, text=step.text.replace("\n\n", " "))


class WithoutAnswer(Faulty):
    def change(self, step: Step) -> Step:
        return replace(step, text="12 + 7 = 19.\n\nSo he has nineteen apples now")


class WrongAnswer(Faulty):
    def change(self, step: Step) -> Step:
        return replace(step, text=step.text.replace("19", "18"))


class Silent(Faulty):
    def change(self, step: Step) -> Step:
        return replace(step, text=" \n")


class Broken(GeneratorWrapper):
    async def step(self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int) -> Step:
        raise GeneratorError("The server of the generator at http://a failed after 4 attempts: status 500.")


class Crashing(GeneratorWrapper):
    async def step(self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int) -> Step:
        raise RuntimeError("out of memory,\nsee the log")


class OnlyWarm(GeneratorWrapper):
    """Refuses every temperature but 1, as OpenAI's models that think."""

    async def step(self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int) -> Step:
        if sampling.temperature != 1:
            raise InvalidRequest("Unsupported value: 'temperature' does not support 0.", param="temperature")
        return await super().step(prefix_ids, sampling, seed)


def test_a_model_that_has_one_temperature_is_examined_at_that(generator: EmbeddedGenerator) -> None:
    found = sampled(OnlyWarm(generator))
    assert (found["solution"].mark, found["answer"].mark, found["seeds"].mark) == ("warning", "ok", "ok")
    assert "does not support 0" in found["solution"].found
    assert "EPF_SEARCH__TEMPERATURE=1" in found["solution"].advice
    assert {found[name].mark for name in ("greedy", "continuation", "stop")} == {"skipped"}


def test_a_generator_in_order(generator: EmbeddedGenerator) -> None:
    found = sampled(generator)
    assert {finding.mark for finding in found.values()} == {"ok"}
    assert found["answer"].found == "read: 19 (right)"
    assert found["seeds"].found.startswith("the same seed gives the same text; 4 seeds give ")


@pytest.mark.parametrize(
    ("fault", "check", "mark", "words", "advice"),
    [
        (IgnoresSeeds, "seeds", "failed", "4 seeds give one text at temperature 1", "no fixed temperature or seed"),
        (Sure, "seeds", "skipped", "4 seeds give one text, but it has a probability of 100%", ""),
        (SeedsOfItsOwn, "seeds", "warning", "the same seed gives two texts", "cannot be repeated"),
        (NeverGreedy, "greedy", "warning", "two texts at temperature 0", "cannot be repeated"),
        (BeginsAnew, "continuation", "warning", "the model goes on with", "Steps do not continue exactly"),
        (CannotContinue, "continuation", "warning", "cannot continue a reply that it has begun", "self_consistency"),
        (NeverStops, "stop", "failed", "the server did not stop at", "Update the server"),
        (NeverEnds, "end", "warning", "still writing after", "instruction-tuned"),
        (WithoutLogProbs, "log probabilities", "warning", "none", "Method ipf needs them"),
        (WrongLogProbs, "log probabilities", "failed", "not all are numbers of at most 0", "Update the server"),
        (OneParagraph, "steps", "warning", "the solution is one step", "blank lines"),
        (WithoutAnswer, "answer", "warning", "ends in: 12 + 7 = 19. So he has nineteen apples now", "\\boxed{}"),
        (WrongAnswer, "answer", "ok", "read: 18 (wrong: it is 19)", ""),
        (Silent, "solution", "failed", "the model wrote nothing", "chat template"),
        (Broken, "solution", "failed", "at http://a failed after 4 attempts: status 500.", ""),
        (Crashing, "solution", "failed", "RuntimeError: out of memory, see the log", ""),
    ],
)
def test_each_fault_is_found(
    fault: type[GeneratorWrapper], check: str, mark: str, words: str, advice: str, generator: EmbeddedGenerator
) -> None:
    finding = sampled(fault(generator), "solution", check)[check]
    assert finding.mark == mark
    assert words in finding.found
    assert advice in finding.advice


def test_a_generator_that_fails_is_asked_once(generator: EmbeddedGenerator) -> None:
    found = sampled(Broken(generator))
    assert {finding.mark for check, finding in found.items() if check != "solution"} == {"skipped"}


def test_the_tokens_of_all_checks_are_counted(generator: EmbeddedGenerator) -> None:
    read: list[int] = []

    class Counting(GeneratorWrapper):
        async def step(self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int) -> Step:
            step = await super().step(prefix_ids, sampling, seed)
            read.append(len(prefix_ids) + len(step.token_ids))
            return step

    checks = SamplingChecks(Counting(generator))
    all_of(list(checks.checks()))
    assert checks.n_tokens == sum(read)


@pytest.fixture(scope="module")
def reward_model() -> Iterator[EmbeddedRewardModel]:
    embedded = EmbeddedRewardModel(STORIES.reward_model)
    yield embedded
    asyncio.run(embedded.aclose())


class Upside(RewardModelWrapper):
    async def score(self, problem: str, steps: Sequence[str]) -> Score:
        score = await super().score(problem, steps)
        return replace(score, probability=1 - score.probability)


class Indifferent(RewardModelWrapper):
    async def score(self, problem: str, steps: Sequence[str]) -> Score:
        score = await super().score(problem, steps)
        return replace(score, probability=0.5 + 0.01 * score.probability)


class Logits(RewardModelWrapper):
    async def score(self, problem: str, steps: Sequence[str]) -> Score:
        score = await super().score(problem, steps)
        return replace(score, probability=8 * score.probability - 4)


class Unready(RewardModelWrapper):
    async def ready(self) -> None:
        raise RewardModelError("No server of the reward model is ready.")


@pytest.mark.parametrize(
    ("fault", "check", "mark", "words"),
    [
        (RewardModelWrapper, "right and wrong", "ok", "the right solution has the higher score"),
        (Upside, "right and wrong", "failed", "no lower score than the right one"),
        (Indifferent, "right and wrong", "warning", "the scores differ by 0.01"),
        (Logits, "scores", "failed", "not probabilities"),
        (Unready, "ready", "failed", "No server of the reward model is ready."),
    ],
)
def test_what_a_reward_model_may_get_wrong(
    fault: type[RewardModelWrapper], check: str, mark: str, words: str, reward_model: EmbeddedRewardModel
) -> None:
    finding = all_of(list(RewardChecks(fault(reward_model)).checks()))[check]
    assert finding.mark == mark
    assert words in finding.found


def test_a_check_has_a_time_limit() -> None:
    async def never() -> Outcome:
        await asyncio.Event().wait()
        return ok("")

    found = all_of([Check("a", never, limit_s=0.01), Check("b", never, ("a",)), Check("c", never, ("b",))])
    assert [finding.mark for finding in found.values()] == ["failed", "skipped", "skipped"]
    assert found["a"].found == "no result within 0.01 seconds"
    assert found["c"].found == "needs: b"
