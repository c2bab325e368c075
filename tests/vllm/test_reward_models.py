"""Reward models on the real vLLM: in this process and behind ``vllm serve``, with the embedded pair's own weights.

Requires vLLM; everything runs in float32 on the CPU.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import pytest

from epf.core.reward_model import RewardModel, Score
from epf.engines.onnx.pairs import STORIES
from epf.problem_sets.synthetic.problems import problems
from epf.reward_models.backend import FamilyRewardModel
from epf.reward_models.by_ids import ServerBackend
from epf.reward_models.embedded import EmbeddedRewardModel
from epf.reward_models.families.family import Family
from epf.reward_models.families.registry import load_family
from epf.reward_models.http import HttpRewardModel, connect
from epf.search import asolve
from epf.search.options import SearchOptions
from epf.service.scoring_app import create_scoring_app
from epf.service.settings import Settings
from tests.contract.reward_model import RewardModelContract
from tests.service.serving import served
from tests.vllm.engines import Engine, computed_in_blocks, distinct_prefixes, reward_engine
from tests.vllm.qwen import write_qwen_prm
from tests.vllm.serve import BLOCK, VllmServer, vllm_serve

pytest.importorskip("vllm", reason="needs vLLM: make test-vllm")

T = TypeVar("T")
PRM = STORIES.reward_model
PROBLEM = RewardModelContract.problem
STEPS = RewardModelContract.steps
TRACES = [
    *(STEPS[:n] for n in (1, 2, 3)),
    ("45 + 17 = 62.",),
    ("45 - 17 = 28.", "28 - 1 = 27."),
    ("", "45 - 17 = 28."),
    tuple(f"{45 - i} - 1 = {44 - i}." for i in range(30)),
]


def embedded_scores(traces: Sequence[Sequence[str]]) -> list[float]:
    async def main() -> list[float]:
        reward_model = EmbeddedRewardModel(STORIES.reward_model)
        scores = [(await reward_model.score(PROBLEM, trace)).probability for trace in traces]
        await reward_model.aclose()
        return scores

    return asyncio.run(main())


async def scores_of(reward_model: RewardModel, traces: Sequence[Sequence[str]]) -> list[Score]:
    return [await reward_model.score(PROBLEM, trace) for trace in traces]


class InProcess(RewardModelContract):
    """The contract on a shared engine."""

    tolerance = 1e-4
    too_long = 400
    family: Family

    @pytest.fixture(autouse=True)
    def _use(self, shared_engine: Engine[FamilyRewardModel]) -> None:
        self.engine = shared_engine

    def run(self, test: Callable[[RewardModel], Awaitable[T]]) -> T:
        return self.engine.run(test)


class TestEmbeddedWeights(InProcess):
    """A sequence classifier: ``classify`` at the last token."""

    family = load_family("embedded", PRM)

    @pytest.fixture
    def shared_engine(self, reward_model_on_vllm: Engine[FamilyRewardModel]) -> Engine[FamilyRewardModel]:
        return reward_model_on_vllm

    def test_it_agrees_with_the_embedded_scorer(self) -> None:
        async def test(reward_model: RewardModel) -> list[Score]:
            return await scores_of(reward_model, TRACES)

        scores = [score.probability for score in self.run(test)]
        expected = embedded_scores(TRACES)
        print("largest difference to the embedded scorer:", max(abs(a - b) for a, b in zip(scores, expected, strict=True)))
        assert scores == pytest.approx(expected, abs=1e-3)

    def test_equal_calls_of_two_searches_are_computed_once(self) -> None:
        async def test(reward_model: RewardModel) -> list[Score]:
            return list(await asyncio.gather(*(reward_model.score("Equal?", ["1 + 1 = 2."]) for _ in range(4))))

        scores = self.run(test)
        assert sorted(score.n_tokens > 0 for score in scores) == [False, False, False, True]
        assert len({score.probability for score in scores}) == 1

    def test_only_new_blocks_are_computed_in_a_search(self) -> None:
        """By the engine's own counters, only what is new in the traces of a search is computed, in whole blocks.

        A request computes its tokens from the end of the last cached block, so at most ``BLOCK - 1`` tokens of an earlier
        request in addition to the new ones.
        """
        asked: list[tuple[int, ...]] = []
        family = self.family

        class Noted:
            name = "noted"

            def __init__(self, inner: RewardModel) -> None:
                self.inner = inner

            async def score(self, problem: str, steps: Sequence[str]) -> Score:
                asked.append(family.prompt(problem, steps))
                return await self.inner.score(problem, steps)

            async def ready(self) -> None:
                await self.inner.ready()

            async def aclose(self) -> None:
                return

        async def test(reward_model: RewardModel) -> None:
            from epf.generators.embedded import EmbeddedGenerator

            generator = EmbeddedGenerator(STORIES.generator)
            options = SearchOptions(n_particles=16, max_steps=12, seed=3, temperature=1.2)
            problem = next(iter(problems(7, "test", 8, 8)))
            await asolve(problem.text, method="epf", options=options, generator=generator, reward_model=Noted(reward_model))
            await generator.aclose()

        counted = self.engine.counted
        asked_before, cached_before = counted.asked, counted.cached
        self.run(test)
        queried = counted.asked - asked_before
        computed, new = queried - (counted.cached - cached_before), distinct_prefixes(asked)
        in_blocks = computed_in_blocks(asked)
        print(f"one search, {len(asked)} traces: {queried} tokens asked, {computed} computed")
        print(f"of which {new} are new, and {in_blocks} in blocks of {BLOCK}")
        assert queried == sum(map(len, asked))
        assert abs(computed - in_blocks) <= 0.15 * in_blocks
        assert computed - new <= (BLOCK - 1) * len(asked)
        assert computed < 0.6 * queried

    def test_long_steps_compute_hardly_more_than_the_new_tokens(self) -> None:
        """Sixteen particles with steps of about five blocks, resampled from eight survivors in each round, as in a search."""
        line = "There are {} birds and {} more come, so there are now {} birds on the wire of the house. "
        traces: list[list[tuple[str, ...]]] = [[()] * 16]
        for t in range(2):
            survivors = [trace for trace in traces[-1][:8] for _ in range(2)]
            traces.append(
                [(*trace, "".join(line.format(7 * t + 3 * i + k, i, k) for k in range(6))) for i, trace in enumerate(survivors)]
            )
        asked = [self.family.prompt(PROBLEM, trace) for round_ in traces[1:] for trace in round_]

        async def test(reward_model: RewardModel) -> None:
            for round_ in traces[1:]:
                await asyncio.gather(*(reward_model.score(PROBLEM, trace) for trace in round_))

        counted = self.engine.counted
        asked_before, cached_before = counted.asked, counted.cached
        self.run(test)
        queried = counted.asked - asked_before
        computed, new = queried - (counted.cached - cached_before), distinct_prefixes(asked)
        print(f"long steps, {len(asked)} traces: {queried} tokens asked, {computed} computed, {new} new")
        assert computed <= 1.15 * new


class TestQwen(InProcess):
    """``Qwen2ForProcessRewardModel``: the last row of ``token_classify``, with the prefix cache."""

    expected: Callable[[str, Sequence[str]], list[float]]

    @pytest.fixture(scope="class")
    @classmethod
    def shared_engine(
        cls, loop: asyncio.AbstractEventLoop, tmp_path_factory: pytest.TempPathFactory
    ) -> Iterator[Engine[FamilyRewardModel]]:
        directory = tmp_path_factory.mktemp("qwen-prm")
        cls.expected = staticmethod(write_qwen_prm(directory))
        cls.family = load_family("qwen2.5-math-prm", directory)
        with reward_engine(loop, directory, "qwen2.5-math-prm") as opened:
            yield opened

    def test_it_agrees_with_the_code_of_the_model_card(self) -> None:
        async def test(reward_model: RewardModel) -> list[Score]:
            return await scores_of(reward_model, TRACES)

        scores = self.run(test)
        expected = [self.expected(PROBLEM, trace)[-1] for trace in TRACES]
        assert [score.probability for score in scores] == pytest.approx(expected, abs=1e-3)
        assert scores[2].n_tokens < len(self.family.prompt(PROBLEM, STEPS)) / 2


def answers(directory: Path, family: Family) -> Callable[[Sequence[str]], float]:
    """Probability of the first answer against the second after a trace, from the logits of the language model in torch."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32)

    def probability(steps: Sequence[str]) -> float:
        with torch.no_grad():
            logits = model(torch.tensor([family.prompt(PROBLEM, steps)])).logits[0, -1]
        return float(logits[list(family.answer_ids)].softmax(-1)[0])

    return probability


class TestAnswerTokens(InProcess):
    """A language model that answers ``+`` or ``-``, loaded as a classifier of these two."""

    family = load_family("rlhflow", STORIES.generator)

    @pytest.fixture(scope="class")
    @classmethod
    def shared_engine(cls, loop: asyncio.AbstractEventLoop) -> Iterator[Engine[FamilyRewardModel]]:
        with reward_engine(loop, STORIES.generator, "rlhflow") as opened:
            yield opened

    def test_it_agrees_with_the_language_model(self) -> None:
        async def test(reward_model: RewardModel) -> list[Score]:
            return await scores_of(reward_model, TRACES[:5])

        expected = list(map(answers(STORIES.generator, self.family), TRACES[:5]))
        assert [score.probability for score in self.run(test)] == pytest.approx(expected, abs=1e-3)


class OverHttp(RewardModelContract):
    """The contract over ``vllm serve``."""

    tolerance = 1e-4
    too_long = 400
    directory: Path
    family: str

    @pytest.fixture(autouse=True)
    def _use(self, server_url: str) -> None:
        self.url = server_url

    def open(self) -> RewardModel:
        family = load_family(self.family, self.directory)
        return FamilyRewardModel(ServerBackend(connect([self.url]), family, "served"), family, "served")

    def scores(self, traces: Sequence[Sequence[str]]) -> list[float]:
        return [score.probability for score in self.run(lambda reward_model: scores_of(reward_model, traces))]


class TestClassifyOverHttp(OverHttp):
    directory = PRM
    family = "embedded"

    @pytest.fixture
    def server_url(self, servers: tuple[VllmServer, VllmServer]) -> str:
        return servers[1].url

    def test_it_agrees_with_the_embedded_scorer(self) -> None:
        assert self.scores(TRACES) == pytest.approx(embedded_scores(TRACES), abs=1e-3)


class TestPoolingOverHttp(OverHttp):
    family = "qwen2.5-math-prm"
    expected: Callable[[str, Sequence[str]], list[float]]

    @pytest.fixture(scope="class")
    @classmethod
    def server_url(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
        directory = cls.directory = tmp_path_factory.mktemp("qwen-prm")
        cls.expected = staticmethod(write_qwen_prm(directory))
        marker = load_family(cls.family, directory).prompt("", [""])[-1]
        # vLLM does this by itself for the published model, whose marker is token 151651.
        pooler = json.dumps({"task": "token_classify", "tok_pooling_type": "STEP", "step_tag_id": marker})
        with vllm_serve(directory, "--runner", "pooling", "--pooler-config", pooler) as url:
            yield url

    def test_it_agrees_with_the_code_of_the_model_card(self) -> None:
        assert self.scores(TRACES) == pytest.approx([self.expected(PROBLEM, trace)[-1] for trace in TRACES], abs=1e-3)


class TestCompletionsOverHttp(OverHttp):
    """The embedded generator was not trained to answer, so its answers are unlikely: vLLM scores exactly these two tokens."""

    directory = STORIES.generator
    family = "rlhflow"

    @pytest.fixture
    def server_url(self, servers: tuple[VllmServer, VllmServer]) -> str:
        return servers[0].url

    def test_it_agrees_with_the_language_model(self) -> None:
        family = load_family(self.family, self.directory)
        expected = list(map(answers(self.directory, family), TRACES[:5]))
        assert self.scores(TRACES[:5]) == pytest.approx(expected, abs=1e-3)


class TestOurServerOnVllm:
    """``epf serve-prm`` with the engine, used through our client."""

    def test_it_returns_the_scores_of_the_engine(self, reward_model_on_vllm: Engine[FamilyRewardModel]) -> None:
        async def test(reward_model: RewardModel) -> None:
            expected = await scores_of(reward_model, TRACES)
            async with served(create_scoring_app(reward_model, Settings())) as (host, port):
                client = HttpRewardModel(connect([f"http://{host}:{port}"]))
                scores = await scores_of(client, TRACES)
                await client.aclose()
            for score, other in zip(scores, expected, strict=True):
                assert score.probability == pytest.approx(other.probability, abs=1e-4)

        reward_model_on_vllm.run(test)
