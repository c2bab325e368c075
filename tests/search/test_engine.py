"""Guarantees of the engine, whatever the models do: overlap, cancellation, determinism, shared scores, tokens, events."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from epf.core.errors import InvalidRequest
from epf.core.generator import Step
from epf.search import Answered, Event, Resampled, Scored, SearchOptions, SearchResult, Started, StepTaken, asolve, stream
from epf.search.smc.filter import Weighting
from tests.search.scripted import (
    AT_ONCE,
    EOS,
    PROMPT,
    SEARCHES,
    SEPARATOR,
    Call,
    Generator,
    Judge,
    RewardModel,
    Writer,
    drive,
    hold,
    solution,
    step,
    ways,
)


def varied(steps: tuple[str, ...]) -> float:
    """Scores that differ between particles and depths."""
    return 0.05 + 0.9 * ((sum(map(ord, "".join(steps))) * 37) % 101) / 101


async def collect(**arguments: Any) -> list[Event]:
    return [event async for event in stream("problem", **arguments)]


def run(
    write: Writer, judge: Judge = varied, method: str = "epf", **options: Any
) -> tuple[SearchResult, Generator, RewardModel]:
    generator, reward_model = Generator(write), RewardModel(judge)
    result = drive(asolve("problem", method=method, generator=generator, reward_model=reward_model, **{"seed": 1, **options}))
    return result, generator, reward_model


def without_times(result: SearchResult) -> tuple[object, ...]:
    return (
        result.answer,
        result.distribution,
        result.particles,
        result.steps,
        result.log_evidence,
        result.usage.generated_tokens,
    )


@pytest.mark.parametrize("lookahead", ["none", "reuse", "redraw"])
def test_a_step_is_scored_while_a_slow_one_is_still_being_written(lookahead: str) -> None:
    scored = asyncio.Event()

    async def slow() -> Step:
        await scored.wait()
        return step("slow")

    def write(call: Call) -> Step | Awaitable[Step]:
        if call.depth == 0:
            return slow() if call.n == 0 else step("fast")
        return step("\\boxed{1}", "eos")

    def judge(steps: tuple[str, ...]) -> float:
        if steps == ("fast",):
            scored.set()
        return 0.5

    result, *_ = run(write, judge, n_particles=2, lookahead=lookahead)
    assert result.answer == "1"


@pytest.mark.parametrize("lookahead", ["reuse", "redraw"])
def test_a_fast_particle_draws_its_successor_while_a_slow_one_is_still_at_its_first_step(lookahead: str) -> None:
    successor_drawn = asyncio.Event()

    async def slow() -> Step:
        await successor_drawn.wait()
        return step("slow")

    def write(call: Call) -> Step | Awaitable[Step]:
        if call.depth == 0:
            return slow() if call.n == 0 else step("fast")
        if call.prefix == "fast\n":
            successor_drawn.set()
        return step("\\boxed{1}", "eos")

    result, *_ = run(write, n_particles=2, lookahead=lookahead)
    assert result.answer == "1"


@pytest.mark.parametrize("method", ["self_consistency", "best_of_n"])
def test_plain_baselines_have_no_barrier(method: str) -> None:
    fast_is_done = asyncio.Event()

    async def slow() -> Step:
        await fast_is_done.wait()
        return step("slow")

    def write(call: Call) -> Step | Awaitable[Step]:
        if call.depth == 0:
            return slow() if call.n == 0 else step("fast")
        if call.depth == 2:
            fast_is_done.set()
            return step("\\boxed{1}", "eos")
        return step(f"more {call.depth}")

    result, *_ = run(write, method=method, n_particles=2)
    assert result.answer == "1"


@pytest.mark.parametrize("method", SEARCHES)
def test_cancelling_the_client_cancels_every_upstream_call(method: str) -> None:
    generator = Generator(hold)

    async def main() -> None:
        task = asyncio.create_task(
            asolve(
                "problem",
                method=method,
                generator=generator,
                reward_model=RewardModel(),
                n_particles=5,
                **AT_ONCE.get(method, {}),
            )
        )
        await generator.until_in_flight(5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    drive(main())
    assert (generator.n_cancelled, generator.in_flight) == (5, 0)


def test_cancelling_while_particles_wait_for_the_same_score() -> None:
    asked = asyncio.Event()

    def judge(steps: tuple[str, ...]) -> Awaitable[float]:
        asked.set()
        return hold()

    generator, reward_model = Generator(lambda call: step("same")), RewardModel(judge)

    async def main() -> None:
        task = asyncio.create_task(asolve("problem", generator=generator, reward_model=reward_model, n_particles=4))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    drive(main())
    assert len(reward_model.calls) == reward_model.n_cancelled == 1


def test_closing_the_stream_cancels_every_upstream_call() -> None:
    generator = Generator(lambda call: step("a") if call.n == 0 else hold())

    async def main() -> None:
        events = stream("problem", generator=generator, reward_model=RewardModel(), n_particles=3, lookahead="reuse")
        async for event in events:
            if isinstance(event, Scored):
                break
        await events.aclose()

    drive(main())
    assert generator.in_flight == 0
    assert generator.n_cancelled == 3


@pytest.mark.parametrize(("method", "lookahead"), ways(SEARCHES))
def test_the_same_seed_gives_the_same_result_whichever_call_ends_first(method: str, lookahead: str) -> None:
    def jittery(write: Callable[[Call], Step], rng: np.random.Generator) -> Writer:
        async def late(call: Call) -> Step:
            for _ in range(rng.integers(0, 20)):
                await asyncio.sleep(0)
            return write(call)

        return late

    options: dict[str, Any] = {"method": method, "lookahead": lookahead, "n_particles": 6, "max_total_tokens": 170}
    plain, *_ = run(solution(5), **options)
    for seed in range(5):
        shaken, *_ = run(jittery(solution(5), np.random.default_rng(seed)), **options)
        assert without_times(shaken) == without_times(plain)
    other, *_ = run(solution(5), **options, seed=2)
    assert without_times(other) != without_times(plain)


def test_a_drawn_seed_is_reported_and_repeats_the_search() -> None:
    first, *_ = run(solution(4), seed=None)
    again, *_ = run(solution(4), seed=first.seed)
    assert without_times(first) == without_times(again)
    assert run(solution(4), seed=None)[0].seed != first.seed


def test_every_generator_call_has_its_own_seed() -> None:
    _, generator, _ = run(solution(5), n_particles=8, lookahead="redraw")
    seeds = [call.seed for call in generator.calls]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**53 for seed in seeds)


@pytest.mark.parametrize("lookahead", ["none", "redraw"])
def test_equal_traces_are_scored_once(lookahead: str) -> None:
    result, _, reward_model = run(
        lambda call: step(f"s{call.depth}") if call.depth < 3 else step("\\boxed{1}", "eos"), n_particles=6, lookahead=lookahead
    )
    assert len(reward_model.calls) == len(set(reward_model.calls)) == result.usage.prm_calls == 4
    assert result.usage.prm_tokens == 3 * 2 + len("\\boxed{1}")


def test_tokens_are_sent_back_unchanged() -> None:
    result, generator, _ = run(solution(4), n_particles=4)
    for particle in result.particles:
        ids = [i for s in particle.steps for i in s.token_ids]
        assert ids.count(SEPARATOR) == 3
        assert ids[-1] == EOS
    prefixes = {call.prefix for call in generator.calls if call.depth == 3}
    written = {"".join(s.text + "\n" for s in particle.steps[:3]) for particle in result.particles}
    assert written <= prefixes
    assert result.usage.prompt_tokens == len(PROMPT)


@pytest.mark.parametrize("lookahead", ["none", "reuse", "redraw"])
@pytest.mark.parametrize("weighting", ["current", "incremental"])
def test_token_counts_are_exact(lookahead: str, weighting: Weighting) -> None:
    returned: list[Step] = []

    def write(call: Call) -> Step:
        returned.append(replace(solution(5)(call), log_probs=(float(call.n),)))
        return returned[-1]

    result, *_ = run(write, n_particles=6, lookahead=lookahead, weighting=weighting)
    generated = sum(len(s.token_ids) for s in returned)
    used = {s.log_probs: len(s.token_ids) for particle in result.particles for s in particle.steps}
    assert result.usage.generated_tokens == generated
    assert result.usage.discarded_tokens == generated - sum(used.values())


def test_reuse_wastes_successors_of_pruned_particles_only() -> None:
    def wasted(lookahead: str) -> np.floating[Any]:
        return np.mean([run(solution(6), lookahead=lookahead, seed=s)[0].usage.discarded_tokens for s in range(10)])

    assert wasted("reuse") < 0.6 * wasted("redraw")


def test_a_survivor_reuses_its_successor_in_its_slot_and_its_copies_draw_afresh() -> None:
    def judge(steps: tuple[str, ...]) -> float:
        return 0.999999 if steps[0] == "best" else 0.000001

    first_steps = iter(["worse", "best", "bad", "bleak"])

    def write(call: Call) -> Step:
        return step(next(first_steps)) if call.depth == 0 else step(f"\\boxed{{{call.n}}}", "eos")

    result, generator, _ = run(write, judge, n_particles=4, lookahead="reuse", annealing="none", lookahead_weight=0.1)
    from_best = [call.n for call in generator.calls if call.prefix == "best\n"]
    assert len(from_best) == 4
    reused, *fresh = map(str, from_best)
    assert [particle.answer for particle in result.particles] == [fresh[0], reused, *fresh[1:]]


def test_times_add_up() -> None:
    usage = run(solution(4))[0].usage
    parts = usage.generating_s + usage.scoring_s + usage.resampling_s + usage.waiting_s
    assert parts == pytest.approx(usage.total_s)
    assert min(usage.generating_s, usage.scoring_s, usage.resampling_s, usage.waiting_s) >= 0


@pytest.mark.parametrize("lookahead", ["none", "reuse"])
def test_events_report_the_whole_search_in_order(lookahead: str) -> None:
    generator, reward_model = Generator(solution(3)), RewardModel(varied)
    options: dict[str, Any] = {
        "generator": generator,
        "reward_model": reward_model,
        "n_particles": 4,
        "seed": 1,
        "lookahead": lookahead,
    }
    events = drive(collect(**options))
    assert isinstance(events[0], Started)
    assert isinstance(events[-1], Answered)
    result = events[-1].result
    assert (events[0].seed, events[0].n_particles, events[0].method) == (1, 4, "epf")
    rounds = [event for event in events if isinstance(event, Resampled)]
    assert [event.record for event in rounds] == list(result.steps)
    assert [event.record.t for event in rounds] == [1, 2, 3]
    assert rounds[-1].answer == result.answer
    assert rounds[-1].n_finished == 4
    taken = [event for event in events if isinstance(event, StepTaken)]
    assert sum(event.n_tokens for event in taken) == result.usage.generated_tokens
    for t in (1, 2, 3):
        assert sorted(event.particle for event in taken if event.t == t and not event.lookahead) == [0, 1, 2, 3]
    for event in rounds:
        assert len(set(event.ancestors)) == event.record.distinct_ancestors
    assert {event.score for event in events if isinstance(event, Scored)} >= set(result.particles[0].scores)


def test_lineage_and_scores_belong_to_the_steps() -> None:
    result, *_ = run(solution(4), n_particles=5, lookahead="reuse")
    for particle in result.particles:
        assert len(particle.scores) == len(particle.steps)
        texts = [s.text for s in particle.steps]
        assert particle.scores == tuple(varied(tuple(texts[: i + 1])) for i in range(len(texts)))
        assert len(particle.lineage) == sum(record.resampled for record in result.steps)


def test_finished_particles_select_the_answer_with_untempered_weights() -> None:
    answers = iter([1, 2, 2, 3])

    def write(call: Call) -> Step:
        return step(f"\\boxed{{{next(answers)}}}", "eos")

    odds = {1: 4.0, 2: 1.5, 3: 0.2}
    options: dict[str, Any] = {"n_particles": 4, "odds_power": 1.0, "answer_selection": "weighted_vote"}
    result, *_ = run(write, lambda steps: odds[int(steps[-1][7])] / (1 + odds[int(steps[-1][7])]), **options)
    total = 4.0 + 2 * 1.5 + 0.2
    assert result.answer == "1"
    assert result.share == pytest.approx(4.0 / total)
    assert [s.answer for s in result.distribution] == ["1", "2", "3"]
    assert [p.log_weight for p in result.particles] == pytest.approx([math.log(odds[a]) for a in (1, 2, 2, 3)])


def test_slopes_multiply_the_log_odds_of_their_depth_and_the_last_holds_for_deeper_steps() -> None:
    options: dict[str, Any] = {"n_particles": 4, "annealing": "none", "odds_power": 0.5}
    for slopes, of_last in (((4.0, 0.2), 0.2), ((4.0, 3.0, 2.0, 1.0, 0.2), 2.0), ((), 1.0)):
        result, *_ = run(solution(3), lambda steps: 0.6, **options, slopes=slopes)
        assert {len(particle.steps) for particle in result.particles} == {3}
        expected = [0.5 * of_last * math.log(0.6 / 0.4)] * 4
        assert [particle.log_weight for particle in result.particles] == pytest.approx(expected)


def test_look_ahead_reads_a_successor_at_its_own_depth() -> None:
    """With full look-ahead the first draw is by the second step's scores: with slope 0 there, all particles are alike."""
    options: dict[str, Any] = {"n_particles": 8, "lookahead": "redraw", "lookahead_weight": 1.0, "annealing": "none"}
    seen, *_ = run(solution(2), varied, **options, slopes=(0.0, 1.0))
    unseen, *_ = run(solution(2), varied, **options, slopes=(1.0, 0.0))
    assert seen.steps[0].ess < 8
    assert unseen.steps[0].ess == pytest.approx(8)


def test_epf_adds_up_the_expected_number_of_right_particles_of_an_answer() -> None:
    answers = iter([1, 2, 2, 3])

    def write(call: Call) -> Step:
        return step(f"\\boxed{{{next(answers)}}}", "eos")

    score = {1: 0.999, 2: 0.9, 3: 0.3}
    result, *_ = run(write, lambda steps: score[int(steps[-1][7])], n_particles=4)
    assert result.answer == "2"
    assert result.particles[result.shown].answer == "2"
    assert result.share == pytest.approx(1.8 / (0.999 + 1.8 + 0.3))
    half = [math.log(score[a] / (1 - score[a])) / 2 for a in (1, 2, 2, 3)]
    assert [p.log_weight for p in result.particles] == pytest.approx(half)


def test_epf_that_accumulates_weights_votes_with_them() -> None:
    score = {1: 0.999, 2: 0.9, 3: 0.3}
    answers = iter([1, 2, 2, 3])

    def write(call: Call) -> Step:
        return step(f"\\boxed{{{next(answers)}}}", "eos")

    result, *_ = run(write, lambda steps: score[int(steps[-1][7])], n_particles=4, weighting="incremental")
    root = {a: math.sqrt(s / (1 - s)) for a, s in score.items()}
    assert result.answer == "1"
    assert result.share == pytest.approx(root[1] / (root[1] + 2 * root[2] + root[3]))


def test_each_finished_particle_of_pf_once_votes_once_with_what_its_last_score_says() -> None:
    """Two finish early with a modest score, one later with high odds, and one unfinished particle is hopeless."""

    def write(call: Call) -> Step:
        if call.depth == 0 and call.n < 2:
            return step("\\boxed{1}", "eos")
        return step(f"good {call.n}" if call.n == 2 else f"bad {call.n}") if call.depth == 0 else step("\\boxed{2}", "eos")

    score = {"\\boxed{1}": 0.6, "good": 0.9, "bad": 0.001, "\\boxed{2}": 0.55}
    result, *_ = run(write, lambda steps: score[steps[-1].split()[0]], method="pf_once", n_particles=4, ess_threshold=0.9)
    assert [record.resampled for record in result.steps] == [True, False]
    assert [particle.answer for particle in result.particles] == ["1", "1", "2", "2"]
    assert {particle.steps[0].text for particle in result.particles[2:]} == {"good 2"}
    assert result.share == pytest.approx(1.2 / (1.2 + 1.1))
    assert result.answer == "1"


def test_pf_once_draws_only_when_few_particles_hold_the_weight() -> None:
    result, *_ = run(solution(5), lambda steps: 0.6, method="pf_once", n_particles=4)
    assert not any(record.resampled for record in result.steps)
    assert result.usage.discarded_tokens == 0


def test_pf_neither_anneals_nor_looks_ahead() -> None:
    result, *_ = run(solution(4), lambda steps: 0.999 if "s0 5" in steps[0] else 0.2, method="pf")
    assert {record.temperature for record in result.steps} == {1.0}


def test_published_epf_never_cools_and_answers_by_its_best_particle() -> None:
    def judge(steps: tuple[str, ...]) -> float:
        return 0.999 if int(steps[-1].split()[-1].strip("\\boxed{}")) % 7 == 0 else 0.2

    result, *_ = run(solution(14), judge, method="epf_published", n_particles=8)
    same, *_ = run(solution(14), judge, n_particles=8, horizon=300, odds_power=1.0, answer_selection="argmax")
    assert (result.particles, result.steps, result.answer) == (same.particles, same.steps, same.answer)
    collapsed = [record for record in result.steps if record.ess < 4 and record.resampled]
    assert max(record.t for record in collapsed) > 10
    for record in collapsed:
        assert record.temperature == pytest.approx(max(1, 8 / record.ess * (1 - record.t / 300)))


@pytest.mark.parametrize(
    ("method", "option", "value"),
    [
        ("pf", "lookahead", "reuse"),
        ("pf", "annealing", "cess"),
        ("epf_published", "horizon", 40),
        ("epf_published", "answer_selection", "majority"),
        ("self_consistency", "answer_selection", "argmax"),
        ("best_of_n", "answer_selection", "weighted_vote"),
        ("pf", "odds_power", 0.7),
        ("pf_once", "weighting", "current"),
        ("pf_once", "annealing", "ess"),
        ("pf_once", "resample_finished", True),
        ("best_of_n", "lookahead", "redraw"),
        ("best_of_n", "resampling", "residual"),
        ("weighted_best_of_n", "straggler_quantile", 0.5),
        ("self_consistency", "aggregation", "min"),
        ("epf", "aggregation", "mean"),
        ("pf", "beam_width", 2),
        ("beam", "annealing", "cess"),
        ("beam", "weighting", "incremental"),
        ("dvts", "lookahead", "reuse"),
        ("dvts", "resample_finished", False),
        ("particle_gibbs", "resampling", "residual"),
        ("epf", "iterations", 3),
        ("epf_pool", "resample_finished", False),
        ("ipf", "lookahead_weight", 0.25),
        ("self_consistency", "certainty", 0.9),
    ],
)
def test_an_option_that_a_method_does_not_use_is_refused(method: str, option: str, value: Any) -> None:
    with pytest.raises(InvalidRequest, match=f"^{option} is (always|not used by method)") as raised:
        run(solution(4), method=method, **{option: value})
    assert raised.value.param == option


def test_a_vote_by_scores_needs_a_method_with_scores() -> None:
    with pytest.raises(InvalidRequest, match="needs scores, and method 'ipf' has none"):
        run(solution(4), method="ipf", answer_selection="probability_vote")


def test_finished_particles_cost_nothing() -> None:
    def write(call: Call) -> Step:
        return step("\\boxed{1}", "eos") if call.n == 0 else solution(4)(call)

    _, generator, _ = run(write, n_particles=2, resample_finished=False)
    assert len(generator.calls) == 1 + 4


def test_a_search_with_an_options_object() -> None:
    options = SearchOptions(n_particles=3, seed=9)
    result = drive(
        asolve("problem", options=options, max_steps=7, generator=Generator(solution(2)), reward_model=RewardModel())
    )
    assert (len(result.particles), result.seed) == (3, 9)
