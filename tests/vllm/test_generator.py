"""The generator on the real vLLM in this process, float32 on the CPU."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from epf.core.errors import GeneratorError
from epf.core.generator import Generator, Message, Sampling, Step
from epf.engines.onnx.pairs import STORIES
from epf.engines.tokenizer import ChatTokenizer
from epf.generators.embedded import EmbeddedGenerator
from epf.generators.vllm import VllmGenerator
from epf.problem_sets.synthetic.problems import problems
from epf.reward_models.embedded import EmbeddedRewardModel
from epf.search import asolve
from epf.search.options import SearchOptions
from tests.contract.generator import GeneratorContract
from tests.vllm.engines import Engine, computed_in_blocks, distinct_prefixes, generator_engine
from tests.vllm.qwen import write_qwen_generator
from tests.vllm.serve import BLOCK

pytest.importorskip("vllm", reason="needs vLLM: make test-vllm")

T = TypeVar("T")
LONG = Sampling(temperature=2.0, max_tokens=150, separator="")


def texts(n: int, n_steps: int) -> list[str]:
    stream = problems(7, "test", n_steps, n_steps)
    return [next(stream).text for _ in range(n)]


@dataclass(frozen=True)
class Counted:
    """Tokens of one search.

    Attributes:
        asked: number in all prompts.
        sampled: number in all steps.
        computed: number computed for both, by the engine's counters.
        new: number that no earlier prompt or step had after the same tokens.
        in_blocks: number to compute if whole blocks are cached.
    """

    n_steps: int
    asked: int
    sampled: int
    computed: int
    new: int
    in_blocks: int


class Noted:
    """A generator that records its calls in the order in which they begin."""

    def __init__(self, inner: VllmGenerator, asked: list[tuple[int, ...]], steps: list[Step]) -> None:
        self.inner = inner
        self.asked = asked
        self.steps = steps

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def step(self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int) -> Step:
        place = len(self.asked)
        self.asked.append(prefix_ids)
        self.steps.append(Step((), "", "length"))
        self.steps[place] = await self.inner.step(prefix_ids, sampling, seed)
        return self.steps[place]


class OnVllm(GeneratorContract):
    """The contract on a shared engine. A second instance is another client of it."""

    engine: Engine[VllmGenerator]

    @pytest.fixture(autouse=True)
    def _use(self, shared_engine: Engine[VllmGenerator]) -> None:
        self.engine = shared_engine

    def run(self, test: Callable[[Generator], Awaitable[T]]) -> T:
        return self.engine.run(test)

    def counted(self, search: Callable[[Generator], Awaitable[None]], tokenizer: ChatTokenizer | None = None) -> "Counted":
        """What the engine counts during a search, and what it should count. ``tokenizer`` replaces the model's own."""
        asked: list[tuple[int, ...]] = []
        steps: list[Step] = []

        async def test(generator: VllmGenerator) -> None:
            generator._tokenizer = tokenizer or generator._tokenizer
            await search(Noted(generator, asked, steps))

        counted = self.engine.counted
        before = counted.asked, counted.cached, counted.generated
        self.engine.run(test)
        queried, cached, sampled = (
            after - earlier for after, earlier in zip((counted.asked, counted.cached, counted.generated), before, strict=True)
        )
        assert queried == sum(map(len, asked))
        assert sampled == sum(len(step.token_ids) for step in steps)
        whole = [ids + step.token_ids for ids, step in zip(asked, steps, strict=True)]
        decoded = sampled - len(steps)  # the last token of a step is computed with the prompt of the next
        in_blocks = computed_in_blocks(whole, [len(step.token_ids) for step in steps]) + decoded
        found = Counted(len(steps), queried, sampled, queried - cached + decoded, distinct_prefixes(whole), in_blocks)
        print(found)
        return found


class TestEmbeddedWeights(OnVllm):
    sampling = Sampling(temperature=2.0, max_tokens=12)  # or it would always write the same first step

    @pytest.fixture
    def shared_engine(self, generator_on_vllm: Engine[VllmGenerator]) -> Engine[VllmGenerator]:
        return generator_on_vllm

    def test_log_probs_are_those_at_temperature_1(self) -> None:
        import torch
        from transformers import AutoModelForCausalLM

        model = AutoModelForCausalLM.from_pretrained(STORIES.generator, dtype=torch.float32)
        sampling = Sampling(temperature=1.7, top_p=0.9, max_tokens=30)

        async def test(generator: Generator) -> tuple[tuple[int, ...], list[Step]]:
            return generator.prompt_ids(self.prompt), await self.steps(generator, range(12), sampling)

        prompt, steps = self.run(test)
        for step in steps:
            with torch.no_grad():
                logits = model(torch.tensor([prompt + step.token_ids])).logits[0, len(prompt) - 1 : -1]
            expected = logits.log_softmax(-1)[range(len(step.token_ids)), list(step.token_ids)]
            assert step.log_probs == pytest.approx(expected.tolist(), abs=1e-3)

    def test_more_prompts_than_the_engine_reads_in_one_iteration(self) -> None:
        async def test(generator: Generator) -> None:
            (problem,) = texts(1, 8)
            prompts = [generator.prompt_ids([Message("user", f"{i} {problem}")]) for i in range(64)]
            assert sum(map(len, prompts)) > self.engine.engine.scheduler_config.max_num_batched_tokens
            steps = await asyncio.gather(*(generator.step(ids, self.sampling, 0) for ids in prompts))
            assert steps[-1].token_ids == (await generator.step(prompts[-1], self.sampling, 0)).token_ids

        self.run(test)

    def test_greedy_searches_match_the_embedded_generator(self) -> None:
        """The same token ids for whole searches; greedy sampling needs no seed."""

        async def searches(generator: Generator) -> list[list[tuple[int, ...]]]:
            reward_model = EmbeddedRewardModel(STORIES.reward_model)
            results = [
                await asolve(text, n_particles=2, temperature=0.0, seed=1, generator=generator, reward_model=reward_model)
                for text in texts(12, 6)
            ]
            await reward_model.aclose()
            return [[step.token_ids for particle in result.particles for step in particle.steps] for result in results]

        async def embedded() -> list[list[tuple[int, ...]]]:
            generator = EmbeddedGenerator(STORIES.generator)
            found = await searches(generator)
            await generator.aclose()
            return found

        there = self.run(searches)
        assert there == asyncio.run(embedded())
        assert sum(map(len, there)) > 100

    def test_only_new_blocks_are_computed_in_a_search(self) -> None:
        """By the engine's own counters, only what is new in the prompts of a search is computed, in whole blocks.

        A request computes its prompt from the end of the last cached block, so at most ``BLOCK`` tokens more than are new.
        """

        async def search(generator: Generator) -> None:
            reward_model = EmbeddedRewardModel(STORIES.reward_model)
            options = SearchOptions(n_particles=16, max_steps=12, seed=3, temperature=1.2, run_ahead=False)
            (text,) = texts(1, 8)
            await asolve(text, method="epf", options=options, generator=generator, reward_model=reward_model)
            await reward_model.aclose()

        counted = self.counted(search)
        assert abs(counted.computed - counted.in_blocks) <= 0.15 * counted.in_blocks
        assert counted.computed - counted.new <= BLOCK * counted.n_steps
        assert counted.computed < 0.6 * (counted.asked + counted.sampled)

    def test_long_steps_compute_hardly_more_than_the_new_tokens(self, tmp_path: Path) -> None:
        """Sixteen particles that never end, with steps of about five blocks, resampled from eight survivors in each round."""
        shutil.copy(STORIES.generator / "tokenizer.json", tmp_path)
        (tmp_path / "chat_template.jinja").write_text("{% for message in messages %}{{ message.content }}{% endfor %}")
        without_ends = ChatTokenizer(tmp_path)

        async def rounds(generator: Generator) -> None:
            rows = [generator.prompt_ids(self.prompt)] * 16
            for t in range(3):
                drawn = await asyncio.gather(*(generator.step(ids, LONG, 100 * t + i) for i, ids in enumerate(rows)))
                rows = [ids + step.token_ids for ids, step in zip(rows[:8], drawn, strict=False) for _ in range(2)]

        counted = self.counted(rounds, without_ends)
        assert counted.sampled == 3 * 16 * LONG.max_tokens
        assert counted.computed <= 1.15 * counted.new
        assert counted.computed < 0.6 * (counted.asked + counted.sampled)

    def test_a_search_cancelled_at_any_moment_leaves_nothing_running(self) -> None:
        async def test(generator: Generator) -> None:
            prompt = generator.prompt_ids(self.prompt)
            for n_turns in range(40):
                call = asyncio.create_task(generator.step(prompt, LONG, n_turns))
                for _ in range(n_turns):
                    await asyncio.sleep(0)
                call.cancel()
                await asyncio.gather(call, return_exceptions=True)
            await self.idle(generator)

        self.run(test)

    def test_closing_fails_open_calls_and_leaves_nothing_running(self) -> None:
        async def test(generator: Generator) -> None:
            prompt = generator.prompt_ids(self.prompt)
            calls = [asyncio.create_task(generator.step(prompt, LONG, seed)) for seed in range(8)]
            await generator.step(prompt, self.sampling, 0)
            await generator.aclose()
            for call in calls:
                with pytest.raises(GeneratorError, match="closed"):
                    await call

        self.run(test)
        self.run(self.idle)

    async def idle(self, generator: Generator) -> None:
        """One more step, at whose end the engine reports that it has nothing else to do."""
        await generator.step(generator.prompt_ids(self.prompt), self.sampling, 0)
        assert self.engine.engine.output_processor.get_num_unfinished_requests() == 0
        assert self.engine.counted.running == 0


class TestQwen(OnVllm):
    """A tokenizer with tokens of more than a blank line or less than a character, and two tokens that end a turn."""

    sampling = Sampling(temperature=1.0, max_tokens=12)

    @pytest.fixture(scope="class")
    @classmethod
    def shared_engine(
        cls, loop: asyncio.AbstractEventLoop, tmp_path_factory: pytest.TempPathFactory
    ) -> Iterator[Engine[VllmGenerator]]:
        directory = tmp_path_factory.mktemp("qwen")
        write_qwen_generator(directory)
        with generator_engine(loop, directory) as opened:
            yield opened

    def test_steps_end_within_tokens_and_characters(self) -> None:
        async def test(generator: Generator) -> tuple[list[Step], set[bytes], set[int]]:
            steps = await self.steps(generator, range(300))
            lines = {generator.token_bytes(step.token_ids[-1]) for step in steps if step.finish == "separator"}
            return steps, lines, {step.token_ids[-1] for step in steps if step.finish == "eos"}

        steps, lines, ends = self.run(test)
        assert {b".\n\n", b"\n\n\n", b"\n\n"} <= lines
        assert {"\n", "\n\n"} <= {step.rest for step in steps}
        assert len(ends) == 3, "two that end a turn, and the one that begins the next"

    @pytest.mark.parametrize(("separator", "parted"), [("\n\n", False), ("\n.", True)])
    def test_the_engine_itself_stops_at_a_token_that_ends_the_step(self, separator: str, parted: bool) -> None:
        """It samples nothing after that token. A separator spread over two tokens is noticed here, which aborts the request."""

        async def test(generator: Generator) -> list[bool]:
            steps = await self.steps(generator, range(100), Sampling(temperature=1.0, max_tokens=12, separator=separator))
            lasts = [generator.token_bytes(step.token_ids[-1]) for step in steps]
            return [step.finish != "separator" or separator.encode() in last for step, last in zip(steps, lasts, strict=True)]

        before = self.engine.counted.finished
        by_one_token = self.run(test)
        finished = self.engine.counted.finished - before
        assert sum(by_one_token) <= finished <= len(by_one_token)  # an aborted request may end by itself first
        assert parted == (False in by_one_token)

    def test_a_step_continues_the_rest_and_the_incomplete_character_of_the_last(self) -> None:
        """Over ten steps, texts with separators and rests are what the tokens spell."""

        async def test(generator: Generator) -> None:
            for seed in range(20):
                ids = prompt = generator.prompt_ids(self.prompt)
                text, rest = "", ""
                for t in range(10):
                    step = await generator.step(ids, Sampling(temperature=1.5, max_tokens=3), 100 * seed + t)
                    text += rest + step.text + ("\n\n" if step.finish == "separator" else "")
                    rest, ids = step.rest, ids + step.token_ids
                    if step.finish == "eos":
                        break
                spelled = b"".join(map(generator.token_bytes, ids[len(prompt) :])).decode(errors="replace")
                assert text + rest in (spelled, spelled.removesuffix("\ufffd"))

        self.run(test)

    def test_a_dead_engine_fails_its_calls_and_is_not_ready(self) -> None:
        """The last test, since it ends the engine of this class."""

        async def test(generator: VllmGenerator) -> None:
            await generator.ready()
            prompt = generator.prompt_ids(self.prompt)
            call = asyncio.create_task(generator.step(prompt, LONG, 0))
            await generator.step(prompt, self.sampling, 1)
            for process in self.engine.engine.engine_core.resources.engine_manager.processes:
                process.kill()
            with pytest.raises(GeneratorError, match="EngineDeadError"):
                await call
            for failing in (generator.ready(), generator.step(prompt, self.sampling, 2)):
                with pytest.raises(GeneratorError, match="EngineDeadError"):
                    await failing

        self.engine.run(test)
