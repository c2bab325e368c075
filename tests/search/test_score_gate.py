"""The option ``score_below_logprob``: which steps are not scored, what they count, and that log probabilities are needed."""

from typing import Any

import pytest

from epf.core.errors import InvalidRequest
from epf.core.generator import Abilities, Step
from epf.search import SearchResult, asolve
from tests.search.scripted import Call, Generator, RewardModel, drive, step

SURE, UNSURE = -0.1, -0.9
LIMIT = -0.5


def write(call: Call) -> Step:
    """Four steps and an answer. The generator is sure of all but the third, at one of whose tokens it hesitates."""
    sampled = step(f"step {call.depth}") if call.depth < 4 else step("\\boxed{7}", "eos")
    log_probs = [SURE] * len(sampled.token_ids)
    if call.depth == 2:
        log_probs[3] = UNSURE
    return Step(sampled.token_ids, sampled.text, sampled.finish, tuple(log_probs))


def judge(steps: tuple[str, ...]) -> float:
    return 1 - len(steps) / 10


def searched(generator: Generator | None = None, **options: Any) -> tuple[SearchResult, list[int]]:
    """The result, and the lengths of the traces that were scored."""
    reward_model = RewardModel(judge)
    options = {"n_particles": 3, "seed": 1, "method": "epf", **options}
    result: SearchResult = drive(
        asolve("problem", generator=generator or Generator(write), reward_model=reward_model, **options)
    )
    return result, [len(call) for call in reward_model.calls]


def test_a_step_of_which_the_generator_is_sure_keeps_the_score_of_the_step_before() -> None:
    result, scored = searched(score_below_logprob=LIMIT)
    assert scored == [1, 3, 5]  # the first, the one that is not sure, and the last; equal particles share a score
    assert result.usage.prm_calls == 3
    for particle in result.particles:
        assert particle.scores == pytest.approx((0.9, 0.9, 0.7, 0.7, 0.5))
    assert not result.warnings or all(warning.code != "not_scored" for warning in result.warnings)


@pytest.mark.parametrize("limit", [None, 0.0])
def test_without_a_limit_and_with_one_that_no_token_reaches_every_step_is_scored(limit: float | None) -> None:
    assert searched(score_below_logprob=limit)[1] == [1, 2, 3, 4, 5]


def test_look_ahead_is_not_scored_either() -> None:
    assert searched(score_below_logprob=LIMIT, lookahead="reuse")[1] == [1, 3, 5]


def test_a_generator_without_log_probabilities_is_refused_before_or_at_the_first_step() -> None:
    def silent(call: Call) -> Step:
        sampled = write(call)
        return Step(sampled.token_ids, sampled.text, sampled.finish)

    announced = Generator(silent)
    announced.abilities = Abilities(log_probs=False)  # type: ignore[attr-defined]
    for generator, n_calls in ((announced, 0), (Generator(silent), 3)):
        with pytest.raises(InvalidRequest, match="score_below_logprob: the generator's server returns no log") as refused:
            searched(generator, score_below_logprob=LIMIT)
        assert refused.value.param == "score_below_logprob"
        assert len(generator.calls) <= n_calls


def test_other_methods_do_not_read_it() -> None:
    with pytest.raises(InvalidRequest, match="score_below_logprob"):
        searched(method="pf", score_below_logprob=LIMIT)
