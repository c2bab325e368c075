"""The contract of all generators. A test class inherits :class:`GeneratorContract` and defines how to open one."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import pairwise
from typing import TypeVar

import pytest

from epf.core.errors import ContextTooLong, GeneratorError
from epf.core.generator import Generator, Message, Sampling, Step, abilities_of

T = TypeVar("T")


class GeneratorContract:
    """Tests that use only the protocol. ``open`` returns a new generator, which the contract closes."""

    prompt = (Message("user", "There are 45 birds on a wire. 17 fly away. How many are left?"),)
    sampling = Sampling(temperature=1.0, max_tokens=12)

    def open(self) -> Generator:
        """Return a new generator."""
        raise NotImplementedError

    def run(self, test: Callable[[Generator], Awaitable[T]]) -> T:
        """Run ``test`` on a new generator within a minute, and close it."""

        async def main() -> T:
            generator = self.open()
            try:
                return await test(generator)
            finally:
                await generator.aclose()

        return asyncio.run(asyncio.wait_for(main(), 60))

    async def steps(self, generator: Generator, seeds: range, sampling: Sampling | None = None) -> list[Step]:
        """One step per seed after the prompt, all concurrently."""
        prefix = generator.prompt_ids(self.prompt)
        return await asyncio.gather(*(generator.step(prefix, sampling or self.sampling, seed) for seed in seeds))

    def test_it_has_a_name_and_a_context(self) -> None:
        async def test(generator: Generator) -> None:
            assert generator.name
            assert generator.context_length > len(generator.prompt_ids(self.prompt)) > 0

        self.run(test)

    def test_equal_prompts_render_equally_and_others_do_not(self) -> None:
        async def test(generator: Generator) -> None:
            assert generator.prompt_ids(self.prompt) == generator.prompt_ids(list(self.prompt))
            assert generator.prompt_ids(self.prompt) != generator.prompt_ids([Message("user", "Why?")])

        self.run(test)

    def test_a_step_agrees_with_its_finish(self) -> None:
        steps = self.run(lambda generator: self.steps(generator, range(40)))
        for step in steps:
            assert 1 <= len(step.token_ids) <= self.sampling.max_tokens
            assert step.finish in ("separator", "eos", "length")
            assert self.sampling.separator not in step.text
            if step.finish == "length":
                assert len(step.token_ids) == self.sampling.max_tokens
            assert len(step.log_probs) in (0, len(step.token_ids), len(step.token_ids) - (step.finish == "eos"))
            assert all(-math.inf < log_prob <= 1e-6 for log_prob in step.log_probs)

    def test_the_most_likely_tokens_are_listed_on_request_and_change_nothing_else(self) -> None:
        async def test(generator: Generator) -> None:
            plain = await self.steps(generator, range(8))
            n = 3
            for step, same in zip(
                await self.steps(generator, range(8), replace(self.sampling, top_log_probs=n)), plain, strict=True
            ):
                assert (step.token_ids, step.text, step.finish) == (same.token_ids, same.text, same.finish)
                assert same.top_log_probs == ()
                assert step.log_probs == pytest.approx(same.log_probs, abs=1e-3)
                assert len(step.top_log_probs) == len(step.log_probs)
                for token_id, log_prob, top in zip(step.token_ids, step.log_probs, step.top_log_probs, strict=False):
                    values = [value for _, value in top]
                    assert len(top) == n
                    assert values == sorted(values, reverse=True)
                    assert math.fsum(map(math.exp, values)) <= 1 + 1e-3
                    data = generator.token_bytes(token_id)
                    assert log_prob <= values[-1] + 1e-6 or any(
                        token == data and abs(value - log_prob) < 1e-6 for token, value in top
                    )
            assert any(step.log_probs for step in plain) == (abilities_of(generator).log_probs is not False)

        self.run(test)

    def test_texts_are_what_the_tokens_spell(self) -> None:
        async def test(generator: Generator) -> None:
            for step in await self.steps(generator, range(40)):
                spelled = b"".join(map(generator.token_bytes, step.token_ids)).decode(errors="replace")
                written = step.text + (self.sampling.separator if step.finish == "separator" else "") + step.rest
                assert written == spelled or (step.finish == "length" and written == spelled.removesuffix("\ufffd"))

        self.run(test)

    def test_a_separator_only_changes_where_a_step_ends(self) -> None:
        """Any text can be a separator, whether it is a token, part of a token, or spread over several."""

        async def test(generator: Generator) -> None:
            prefix = generator.prompt_ids(self.prompt)
            unparted = replace(self.sampling, separator="")
            cases = [
                (seed, whole.token_ids, whole.text[at : at + length])
                for seed, whole in enumerate(await self.steps(generator, range(8), unparted))
                for at in range(0, len(whole.text) - 4, 5)
                for length in (1, 2, 5)
                if "\ufffd" not in whole.text[at : at + length]
            ]
            assert len(cases) > 8
            steps = await asyncio.gather(
                *(generator.step(prefix, replace(unparted, separator=separator), seed) for seed, _, separator in cases)
            )
            for (_, ids, separator), step in zip(cases, steps, strict=True):
                spelled = [b"".join(map(generator.token_bytes, ids[:n])) for n in range(len(ids) + 1)]
                n = next(n for n, data in enumerate(spelled) if separator.encode() in data)
                before, _, after = spelled[n].partition(separator.encode())
                assert (step.token_ids, step.finish) == (ids[:n], "separator")
                assert step.text == before.decode(errors="replace")
                assert step.rest == after.decode(errors="ignore")

        self.run(test)

    @pytest.mark.parametrize("separator", ["", "\n\n", "a"])
    def test_a_step_is_shown_while_it_is_sampled(self, separator: str) -> None:
        """What is shown grows to the text of the step and is never taken back, and the step is the same."""

        async def test(generator: Generator) -> None:
            sampling = replace(self.sampling, separator=separator)
            n_shown = 0
            for seed, step in enumerate(await self.steps(generator, range(20), sampling)):
                shown: list[str] = []
                (seen,) = await self.steps(generator, range(seed, seed + 1), replace(sampling, on_text=shown.append))
                assert seen == step
                assert all(after.startswith(before) for before, after in pairwise([*shown, step.text]))
                n_shown += len(set(shown))
            assert n_shown >= 20

        self.run(test)

    def test_the_seed_determines_the_step(self) -> None:
        async def test(generator: Generator) -> None:
            first, again = await self.steps(generator, range(8)), await self.steps(generator, range(8))
            assert [step.token_ids for step in first] == [step.token_ids for step in again]
            assert len({step.token_ids for step in first}) > 1

        self.run(test)

    def test_a_second_instance_gives_the_same_steps(self) -> None:
        first, second = (self.run(lambda generator: self.steps(generator, range(4))) for _ in range(2))
        assert [step.token_ids for step in first] == [step.token_ids for step in second]

    def test_other_rows_in_the_batch_change_nothing(self) -> None:
        async def test(generator: Generator) -> None:
            together = await self.steps(generator, range(6))
            alone = [(await self.steps(generator, range(seed, seed + 1)))[0] for seed in range(6)]
            assert [step.token_ids for step in together] == [step.token_ids for step in alone]

        self.run(test)

    def test_zero_temperature_ignores_the_seed(self) -> None:
        greedy = Sampling(temperature=0, max_tokens=12)
        steps = self.run(lambda generator: self.steps(generator, range(4), greedy))
        assert len({step.token_ids for step in steps}) == 1

    def test_steps_continue_by_token_ids(self) -> None:
        async def test(generator: Generator) -> None:
            ids = generator.prompt_ids(self.prompt)
            for seed in range(4):
                step = await generator.step(ids, self.sampling, seed)
                assert step == await generator.step(ids, self.sampling, seed)
                ids += step.token_ids

        self.run(test)

    def test_one_token_steps(self) -> None:
        steps = self.run(lambda generator: self.steps(generator, range(4), Sampling(temperature=1.0, max_tokens=1)))
        assert [len(step.token_ids) for step in steps] == [1] * 4

    def test_a_full_context_is_rejected(self) -> None:
        async def test(generator: Generator) -> None:
            ids = generator.prompt_ids(self.prompt)
            full = (ids * (generator.context_length // len(ids) + 1))[: generator.context_length]
            with pytest.raises(ContextTooLong, match=str(generator.context_length)):
                await generator.step(full, self.sampling, 0)
            last = await generator.step(full[:-1], self.sampling, 0)
            assert len(last.token_ids) == 1

        self.run(test)

    def test_cancelling_one_call_leaves_the_others(self) -> None:
        async def test(generator: Generator) -> None:
            ids = generator.prompt_ids(self.prompt)
            expected = await generator.step(ids, self.sampling, 0)
            cancelled = [asyncio.create_task(generator.step(ids, self.sampling, seed)) for seed in range(1, 4)]
            kept = asyncio.create_task(generator.step(ids, self.sampling, 0))
            await asyncio.sleep(0)
            for task in cancelled:
                task.cancel()
            results = await asyncio.gather(*cancelled, return_exceptions=True)
            assert all(isinstance(result, asyncio.CancelledError) for result in results)
            assert await kept == expected

        self.run(test)

    def test_it_is_ready_until_it_is_closed(self) -> None:
        async def test(generator: Generator) -> None:
            await generator.ready()
            await generator.aclose()
            with pytest.raises(GeneratorError):
                await generator.ready()

        self.run(test)

    def test_a_closed_model_rejects_calls(self) -> None:
        async def test(generator: Generator) -> None:
            ids = generator.prompt_ids(self.prompt)
            await generator.step(ids, self.sampling, 0)
            await generator.aclose()
            with pytest.raises(GeneratorError):
                await generator.step(ids, self.sampling, 0)

        self.run(test)
