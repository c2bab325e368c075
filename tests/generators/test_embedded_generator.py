"""The embedded generator on a random model: the contract, and exact samples of that model."""

import asyncio
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import special, stats

from epf.core.errors import GeneratorError, InvalidRequest
from epf.core.generator import Message, Sampling, Step
from epf.generators.embedded import EmbeddedGenerator
from tests.contract.generator import GeneratorContract
from tests.tiny_model import EOS_ID, SEPARATOR_ID, TEXT_IDS, Floats, forward, write_model

PROMPT = (Message("user", "How many birds?"),)
FORBIDDEN = [0, 1, *range(TEXT_IDS, 104)]


@pytest.fixture(scope="module")
def tensors(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Floats]:
    return write_model(tmp_path_factory.mktemp("models") / "same-weights", "generator")


class TestContract(GeneratorContract):
    @pytest.fixture(autouse=True)
    def _use(self, directory: Path) -> None:
        self.directory = directory

    def open(self) -> EmbeddedGenerator:
        return EmbeddedGenerator(self.directory, max_rows=16)


def sample(generator: EmbeddedGenerator, prefixes: list[tuple[int, ...]], sampling: Sampling, seed: int = 0) -> list[Step]:
    """Sample one step after each prefix, all concurrently, then close the generator."""

    async def main() -> list[Step]:
        steps = await asyncio.gather(*(generator.step(ids, sampling, seed + i) for i, ids in enumerate(prefixes)))
        await generator.aclose()
        return steps

    return asyncio.run(main())


def exact_log_probs(tensors: dict[str, Floats], prefix: tuple[int, ...], step: Step) -> NDArray[np.float64]:
    logits = forward(tensors, prefix + step.token_ids)[len(prefix) - 1 : -1]
    result: NDArray[np.float64] = special.log_softmax(logits, axis=1)[np.arange(len(step.token_ids)), list(step.token_ids)]
    return result


def test_log_probs_are_those_of_the_model(directory: Path, tensors: dict[str, Floats]) -> None:
    """With cache, branches and a ragged batch: 40 rows of six different lengths, three steps deep."""
    generator = EmbeddedGenerator(directory, max_rows=16)
    sampling = Sampling(temperature=0.8, max_tokens=9)
    prefixes = [generator.prompt_ids([Message("user", "birds " * (1 + i % 6))]) for i in range(40)]

    async def main() -> None:
        rows = prefixes
        for depth in range(3):
            steps = await asyncio.gather(*(generator.step(ids, sampling, 100 * depth + i) for i, ids in enumerate(rows)))
            for ids, step in zip(rows, steps, strict=True):
                np.testing.assert_allclose(step.log_probs, exact_log_probs(tensors, ids, step), atol=1e-3)
            rows = [ids + step.token_ids for ids, step in zip(rows, steps, strict=True)]
        await generator.aclose()

    asyncio.run(main())


def test_the_most_likely_tokens_are_those_of_the_model(directory: Path, tensors: dict[str, Floats]) -> None:
    """At temperature 1, over the whole vocabulary, whatever the sampling draws from."""
    generator = EmbeddedGenerator(directory)
    prefix = generator.prompt_ids(PROMPT)
    sampling = Sampling(temperature=0.3, top_p=0.2, max_tokens=9, top_log_probs=4)
    for step in sample(generator, [prefix] * 5, sampling):
        exact = special.log_softmax(forward(tensors, prefix + step.token_ids)[len(prefix) - 1 : -1], axis=1)
        assert len(step.top_log_probs) == len(exact)
        for top, expected in zip(step.top_log_probs, exact, strict=True):
            ids = np.argsort(-expected)[:4]
            np.testing.assert_allclose([value for _, value in top], expected[ids], atol=1e-3)
            assert {data for data, _ in top} == {generator.token_bytes(int(id_)) for id_ in ids}


@pytest.mark.slow
def test_first_tokens_follow_the_distribution_of_the_model(directory: Path, tensors: dict[str, Floats]) -> None:
    generator, n = EmbeddedGenerator(directory, max_rows=64), 4000
    prefix = generator.prompt_ids(PROMPT)
    steps = sample(generator, [prefix] * n, Sampling(temperature=1.5, max_tokens=1))
    counts = np.bincount([step.token_ids[0] for step in steps], minlength=104)
    logits = forward(tensors, prefix)[-1] / 1.5
    logits[FORBIDDEN] = -np.inf
    expected = n * special.softmax(logits)
    common = expected >= 5
    observed = [*counts[common], counts[~common].sum()]
    assert stats.chisquare(observed, [*expected[common], expected[~common].sum()]).pvalue > 1e-3


def test_greedy_steps_take_the_most_likely_tokens(directory: Path, tensors: dict[str, Floats]) -> None:
    generator = EmbeddedGenerator(directory, max_rows=1)
    prefix = generator.prompt_ids(PROMPT)
    (step,) = sample(generator, [prefix], Sampling(temperature=0, max_tokens=20))
    ids = prefix
    for token in step.token_ids:
        logits = forward(tensors, ids)[-1]
        logits[FORBIDDEN] = -np.inf
        assert token == logits.argmax()
        ids += (token,)


def test_steps_end_and_spell_what_their_tokens_say(directory: Path) -> None:
    generator = EmbeddedGenerator(directory)
    steps = sample(generator, [generator.prompt_ids(PROMPT)] * 300, Sampling(temperature=1.0, max_tokens=15))
    assert {step.finish for step in steps} == {"separator", "eos", "length"}
    for step in steps:
        *body, last = step.token_ids
        assert not {EOS_ID, SEPARATOR_ID} & set(body)
        assert (last == EOS_ID) == (step.finish == "eos")
        assert not set(step.token_ids) & set(FORBIDDEN)
        assert "<|" not in step.text
        written = b"".join(map(generator.token_bytes, step.token_ids)).decode()
        assert written == step.text + ("\n\n" if step.finish == "separator" else "") + step.rest


def test_a_shared_prefix_is_computed_once(directory: Path) -> None:
    generator = EmbeddedGenerator(directory, max_rows=4)
    prefix = generator.prompt_ids(PROMPT)
    steps = sample(generator, [prefix] * 10, Sampling(max_tokens=8))
    assert generator.n_computed == len(prefix) - 1 + sum(len(step.token_ids) for step in steps)


def test_the_next_step_computes_only_itself(directory: Path) -> None:
    generator = EmbeddedGenerator(directory)
    prefix = generator.prompt_ids(PROMPT)
    sampling = Sampling(max_tokens=8)

    async def main() -> None:
        steps = await asyncio.gather(*(generator.step(prefix, sampling, seed) for seed in range(20)))
        alive = [step for step in steps if step.finish != "eos"]
        before = generator.n_computed
        following = await asyncio.gather(
            *(generator.step(prefix + step.token_ids, sampling, 7) for step in alive for _ in "ab")
        )
        assert generator.n_computed - before == sum(len(step.token_ids) for step in following)
        await generator.aclose()

    asyncio.run(main())


def test_a_dropped_prefix_is_computed_again(directory: Path) -> None:
    sampling = Sampling(max_tokens=8)
    prefixes = [EmbeddedGenerator(directory).prompt_ids([Message("user", f"{i} birds")]) for i in range(5)] * 2
    steps, forgetful = (
        sample(EmbeddedGenerator(directory, max_rows=3, max_cache_bytes=size), prefixes, sampling) for size in (2**20, 1)
    )
    assert [step.token_ids for step in steps] == [step.token_ids for step in forgetful]


def test_more_calls_than_rows_and_prompts_than_an_iteration_takes(directory: Path) -> None:
    few, many = EmbeddedGenerator(directory, max_rows=3), EmbeddedGenerator(directory, max_rows=256)
    prefixes = [few.prompt_ids([Message("user", f"{i % 40} birds " * 5)]) for i in range(120)]
    sampling = Sampling(temperature=1.0, max_tokens=6)
    assert [s.token_ids for s in sample(few, prefixes, sampling)] == [s.token_ids for s in sample(many, prefixes, sampling)]


def test_the_end_of_the_context_cuts_a_step(directory: Path) -> None:
    generator = EmbeddedGenerator(directory)
    room = 3
    prefix = (generator.prompt_ids(PROMPT) * 10)[: generator.context_length - room]
    steps = sample(generator, [prefix] * 30, Sampling(max_tokens=50))
    assert max(len(step.token_ids) for step in steps) == room
    assert all(step.finish != "length" or len(step.token_ids) == room for step in steps)


@pytest.mark.parametrize(
    ("sampling", "prefix", "param"),
    [
        (Sampling(max_tokens=0), (5,), "max_tokens"),
        (Sampling(), (), "prefix_ids"),
        (Sampling(), (5, 104), "prefix_ids"),
        (Sampling(), (-1,), "prefix_ids"),
    ],
)
def test_bad_arguments_are_rejected(directory: Path, sampling: Sampling, prefix: tuple[int, ...], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        sample(EmbeddedGenerator(directory), [prefix], sampling)
    assert caught.value.param == param


def test_a_failing_engine_fails_its_calls_and_recovers(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = EmbeddedGenerator(directory)
    prefix = generator.prompt_ids(PROMPT)

    def no_memory(*_: object) -> None:
        raise MemoryError("no memory")

    async def main() -> None:
        with monkeypatch.context() as patch:
            patch.setattr("epf.engines.onnx.decoder.Decoder.decode", no_memory)
            calls = (generator.step(prefix, Sampling(max_tokens=5), seed) for seed in range(3))
            errors = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(error) for error in errors] == [GeneratorError] * 3
        assert (await generator.step(prefix, Sampling(max_tokens=5), 0)).token_ids
        await generator.aclose()

    asyncio.run(main())
