"""Beam search and DVTS against reference implementations, written from their descriptions, that draw with the same seeds."""

import hashlib
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from epf.core.errors import ContextTooLong
from epf.core.generator import Step
from epf.search import Event, Particle, Resampled, SearchResult, asolve, stream
from epf.search.answers.checker import AnswerChecker
from epf.search.engine.seeds import call_seed
from tests.search.scripted import Call, Generator, Judge, Models, RewardModel, Writer, drive, hold, result_of, solution, step

DEPTH = 6
SEEDS = range(12)


def number(text: str) -> float:
    """A number in [0, 1) that depends on ``text`` only."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") / 2**32


def ended(path: str) -> bool:
    """A third of the branches end before the deepest level."""
    return len(path) == DEPTH or (len(path) >= 2 and number("end" + path) < 0.33)


def drawn(path: str, seed: int) -> str:
    """The next of three letters, which are not equally likely."""
    return "abc"[int(np.random.default_rng(seed).choice(3, p=(0.5, 0.3, 0.2)))]


def odds(path: str) -> float:
    return 0.1 + 5 * number("score" + path)


def write(call: Call) -> Step:
    """A letter and its depth, since three equal steps in a row would end a particle."""
    path = "".join(line[0] for line in call.prefix.splitlines())
    path += drawn(path, call.seed)
    text = f"{path[-1]}{len(path)}"
    return step(f"{text} \\boxed{{{answer(path)}}}", "eos") if ended(path) else step(text)


def answer(path: str) -> str:
    """A score that differs between paths."""
    return "1" + path.translate(str.maketrans("abc", "123"))


def judge(steps: Sequence[str]) -> float:
    value = odds("".join(text[0] for text in steps))
    return value / (1 + value)


def path_of(particle: Particle) -> str:
    return "".join(s.text[0] for s in particle.steps)


def reference_beam(seed: int, n: int, width: int) -> list[str]:
    """Beams as paths; finished beams keep their places."""
    beams = [""] * n
    for t in range(1, DEPTH + 1):
        beams = [b if b and ended(b) else b + drawn(b, call_seed(seed, "step", t, i)) for i, b in enumerate(beams)]
        places = [i for i in range(n) if not ended(beams[i])]
        if not places:
            break
        survivors = sorted({beams[i] for i in places}, key=odds, reverse=True)[: math.ceil(len(places) / width)]
        dealt = sorted((survivors * len(places))[: len(places)], key=beams.index)  # equal ones next to each other
        for i, survivor in zip(places, dealt, strict=True):
            beams[i] = survivor
    return beams


def reference_dvts(seed: int, n: int, width: int) -> list[str]:
    """Each subtree separately, from its own places only."""
    ends = []
    first = 0
    n_subtrees = math.ceil(n / width)
    for k in range(n_subtrees):
        size = n * (k + 1) // n_subtrees - first
        path, t = "", 0
        while not (path and ended(path)):
            t += 1
            children = [path + drawn(path, call_seed(seed, "step", t, first + i)) for i in range(size)]
            path = max(children, key=odds)
        ends += [path] * size
        first += size
    return ends


REFERENCES = {"beam": reference_beam, "dvts": reference_dvts}


async def searched(method: str, judge: Judge = judge, writer: Writer = write, **options: Any) -> SearchResult:
    checker = AnswerChecker()
    try:
        models: Models = {"generator": Generator(writer), "reward_model": RewardModel(judge)}
        return await asolve("problem", method=method, checker=checker, **models, **options)
    finally:
        await checker.aclose()


@pytest.mark.parametrize("method", REFERENCES)
@pytest.mark.parametrize(("n", "width"), [(1, 4), (2, 4), (3, 1), (4, 4), (6, 4), (8, 2), (8, 4), (13, 5), (16, 4), (32, 3)])
def test_particles_and_votes_equal_those_of_the_reference_implementation(method: str, n: int, width: int) -> None:
    for seed in SEEDS:
        result = drive(searched(method, seed=seed, n_particles=n, beam_width=width, answer_selection="weighted_vote"))
        paths = REFERENCES[method](seed, n, width)
        assert [path_of(particle) for particle in result.particles] == paths
        assert [particle.log_weight for particle in result.particles] == pytest.approx([math.log(odds(p)) for p in paths])
        votes = {answer(path): odds(path) * paths.count(path) for path in paths}
        assert result.answer == max(votes, key=votes.__getitem__)
        assert result.share == pytest.approx(max(votes.values()) / sum(votes.values()))
        assert result.stop_reason == "finished"


@pytest.mark.parametrize("method", REFERENCES)
@pytest.mark.parametrize("width", [1, 4])
def test_one_particle_is_a_plain_sample(method: str, width: int) -> None:
    for seed in SEEDS:
        plain = drive(searched("best_of_n", seed=seed, n_particles=1))
        tree = drive(searched(method, seed=seed, n_particles=1, beam_width=width))
        assert tree.solution == plain.solution
        assert tree.usage.generated_tokens == plain.usage.generated_tokens
        assert tree.particles[0].log_weight == plain.particles[0].log_weight


@pytest.mark.parametrize("method", REFERENCES)
def test_without_pruning_a_tree_search_is_best_of_n(method: str) -> None:
    """A beam of width 1 keeps all prefixes that differ."""

    def all_different(call: Call) -> Step:
        made = write(call)
        return step(f"{made.text} {call.seed}", made.finish)

    options: dict[str, Any] = {"writer": all_different, "judge": judge, "seed": 5, "n_particles": 9}
    best = drive(searched("best_of_n", **options))
    tree = drive(searched(method, beam_width=1, **options))
    assert [particle.steps for particle in tree.particles] == [particle.steps for particle in best.particles]
    assert not any(record.resampled for record in tree.steps)


@pytest.mark.parametrize("method", REFERENCES)
def test_a_width_of_all_particles_is_greedy_by_the_scores(method: str) -> None:
    """With every letter drawn in each round the best letter always wins, although a worse one would have led further."""

    def every_letter(call: Call) -> Step:
        depth = call.depth
        letter = "abcd"[call.n % 4]
        return step(f"{letter}\\boxed{{{letter}}}", "eos") if depth == 3 else step(f"{letter}{depth}")

    def greedy_trap(steps: Sequence[str]) -> float:
        texts = "".join(text[0] for text in steps)
        return 0.99 if texts.startswith("da") and len(texts) == 4 else {"a": 0.2, "b": 0.4, "c": 0.6, "d": 0.1}[texts[-1]]

    result = drive(searched(method, greedy_trap, every_letter, n_particles=4, seed=1, answer_selection="argmax"))
    assert path_of(result.particles[result.shown]) == "cccc"


def test_equal_prefixes_are_one_beam() -> None:
    """Three of four particles write the best line, so the second best is kept too."""
    lines = iter(["good", "fair", "good", "good", "bad", "poor"])

    def same_line(call: Call) -> Step:
        return step(next(lines)) if call.depth == 0 else step(f"\\boxed{{{call.prefix.strip()}}}", "eos")

    value = {"good": 0.9, "fair": 0.7, "poor": 0.2, "bad": 0.1}
    result = drive(searched("beam", lambda steps: value[steps[0]], same_line, n_particles=6, beam_width=2, seed=1))
    assert [p.answer for p in result.particles] == ["good", "good", "fair", "fair", "poor", "poor"]
    assert result.steps[0].distinct_ancestors == 3


def test_a_finished_beam_displaces_no_running_one_and_keeps_its_vote() -> None:
    def early(call: Call) -> Step:
        if call.depth == 0:
            return step("\\boxed{1}", "eos") if call.n == 2 else step(f"line {call.n}")
        return step("\\boxed{2}", "eos")

    def low_at_first(steps: Sequence[str]) -> float:
        return 0.01 if "\\boxed{1}" in steps[-1] else 0.5

    result = drive(searched("beam", low_at_first, early, n_particles=5, beam_width=2, seed=1))
    assert [p.answer for p in result.particles] == ["2", "2", "1", "2", "2"]
    assert [share.n_particles for share in result.distribution] == [4, 1]
    assert result.steps[0].distinct_ancestors == 3, "the finished one and the best two of four"


@pytest.mark.parametrize(("aggregation", "kept"), [("last", "y"), ("min", "y"), ("product", "x"), ("mean", "x")])
def test_prefixes_are_ranked_by_the_aggregated_score(aggregation: str, kept: str) -> None:
    """A beam of two prefixes continues "x" (0.9) and "y" (0.5); their next lines score 0.4 and 0.45."""
    scores = {"x": 0.9, "y": 0.5, "z": 0.1, "x2": 0.4, "y2": 0.45}

    def lines(call: Call) -> Step:
        if call.depth == 0:
            return step("xyz"[call.n])
        return step(f"{call.prefix[0]}2") if call.depth == 1 else step(f"\\boxed{{{call.prefix[0]}}}", "eos")

    def judged(steps: Sequence[str]) -> float:
        return scores.get(steps[-1], 0.5)

    result = drive(searched("beam", judged, lines, n_particles=3, beam_width=2, seed=1, aggregation=aggregation, max_steps=2))
    assert path_of(result.particles[result.shown])[0] == kept


def events(method: str, **options: Any) -> list[Event]:
    async def main() -> list[Event]:
        models: Models = {"generator": Generator(write), "reward_model": RewardModel(judge)}
        return [event async for event in stream("problem", method=method, **models, **options)]

    return drive(main())


@pytest.mark.parametrize("method", REFERENCES)
def test_every_round_is_reported_as_in_a_filter(method: str) -> None:
    found = events(method, n_particles=8, seed=3)
    result = result_of(found)
    rounds = [event for event in found if isinstance(event, Resampled)]
    assert [event.record for event in rounds] == list(result.steps)
    assert [event.record.t for event in rounds] == list(range(1, len(rounds) + 1))
    lineages: list[tuple[int, ...]] = [()] * 8
    for event in rounds:
        assert len(event.ancestors) == 8
        assert len(set(event.ancestors)) == event.record.distinct_ancestors
        assert event.record.resampled == (event.ancestors != tuple(range(8)))
        assert (event.record.temperature, 1 <= event.record.ess <= 8) == (1.0, True)
        if event.record.resampled:
            lineages = [(*lineages[a], a) for a in event.ancestors]
    assert [particle.lineage for particle in result.particles] == lineages
    assert rounds[-1].answer == result.answer


@pytest.mark.parametrize(
    ("method", "width", "kept"), [("beam", 4, {"brief"}), ("beam", 1, {"brief", "brief too"}), ("dvts", 4, {"brief"})]
)
def test_particles_that_cannot_continue_give_their_slots_to_others(method: str, width: int, kept: set[str]) -> None:
    def troubled(call: Call) -> Step:
        if call.depth == 0:
            return [step("", "eos"), step("wordy"), step("brief"), step("brief too")][call.n % 4]
        if call.prefix.startswith("wordy"):
            raise ContextTooLong("full")
        return step("\\boxed{7}", "eos") if call.depth == 2 else step(f"more {call.seed}")

    def by_first_line(steps: Sequence[str]) -> float:
        return {"wordy": 0.05, "brief": 0.9, "brief too": 0.5}[steps[0]]

    result = drive(searched(method, by_first_line, troubled, n_particles=4, beam_width=width, seed=1))
    assert [particle.answer for particle in result.particles] == ["7"] * 4
    assert {particle.steps[0].text for particle in result.particles} == kept


def test_a_subtree_that_died_does_not_affect_the_others() -> None:
    def half(call: Call) -> Step:
        return step("", "eos") if call.depth == 0 and call.n < 2 else solution(3, n_answers=1)(call)

    result = drive(searched("dvts", lambda steps: 0.5, half, n_particles=4, beam_width=2, seed=1))
    assert [particle.answer for particle in result.particles] == [None, None, "0", "0"]
    assert [particle.log_weight for particle in result.particles] == [-math.inf, -math.inf, 0.0, 0.0]
    assert (result.answer, result.stop_reason) == ("0", "finished")


@pytest.mark.parametrize("method", REFERENCES)
def test_a_deadline_answers_from_the_beams_that_have_finished(method: str) -> None:
    async def scenario() -> None:
        generator = Generator(lambda call: step("\\boxed{7}", "eos") if call.n == 0 else hold())
        models: Models = {"generator": generator, "reward_model": RewardModel(lambda steps: 0.8)}
        result = await asolve("problem", method=method, n_particles=4, seed=1, max_seconds=0.05, **models)
        assert (result.answer, result.share, result.stop_reason) == ("7", 1.0, "deadline")
        assert (generator.in_flight, generator.n_cancelled) == (0, 3)

    drive(scenario())


@pytest.mark.parametrize("method", REFERENCES)
def test_at_the_limit_of_steps_the_finished_particles_vote(method: str) -> None:
    def one_ends(call: Call) -> Step:
        return step("\\boxed{7}", "eos") if call.n == 0 else step("promising")

    result = drive(
        searched(method, lambda steps: 0.9 if steps == ("promising",) else 0.1, one_ends, n_particles=4, max_steps=1)
    )
    assert (result.answer, result.share, result.stop_reason) == ("7", 1.0, "max_steps")


@pytest.mark.parametrize("method", REFERENCES)
def test_if_no_particle_has_room_the_best_partial_solution_is_shown(method: str) -> None:
    """The best by the aggregated score, although the last line of another one is better."""
    scores = {"a": 0.2, "b": 0.6, "a more": 0.7, "b more": 0.6}

    def until_full(call: Call) -> Step:
        if call.depth == 2:
            raise ContextTooLong("full")
        return step("ab"[call.n % 2]) if call.depth == 0 else step(f"{call.prefix[0]} more")

    result = drive(
        searched(method, lambda steps: scores[steps[-1]], until_full, n_particles=2, beam_width=1, seed=1, aggregation="min")
    )
    assert (result.solution, result.stop_reason) == ("b\n\nb more", "context")


@pytest.mark.parametrize("method", REFERENCES)
def test_a_straggler_is_cut_in_a_tree_search_too(method: str) -> None:
    async def scenario() -> set[tuple[int, int]]:
        limits: set[tuple[int, int]] = set()

        def slow(call: Call) -> Step:
            limits.add((call.depth, call.sampling.max_tokens))
            return step("ab") if call.depth == 0 else step("\\boxed{5}"[: call.sampling.max_tokens], "length")

        options = {"straggler_quantile": 1.0, "max_steps": 2, "max_tokens_per_step": 256}
        await searched(method, lambda steps: 0.5, slow, n_particles=3, seed=1, **options)
        return limits

    assert drive(scenario()) == {(0, 256), (1, 3)}
