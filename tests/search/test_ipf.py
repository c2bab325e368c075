"""Intrinsic particle filtering through the engine."""

import math
from collections.abc import Awaitable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from epf.core.errors import InvalidRequest
from epf.core.generator import Step
from epf.search import SearchOptions, SearchResult, runner
from epf.search.runner import resolve_request
from tests.search.scripted import Call, Generator, Writer, drive, hold, step


def solved(write: Writer, **options: Any) -> tuple[SearchResult, Generator]:
    generator = Generator(write)
    asked = SearchOptions(**{"method": "ipf", "n_particles": 3, "seed": 1, "ess_threshold": 0.0, **options})
    return drive(runner.search(resolve_request("p", asked), generator=generator, reward_model=None)), generator


def sure(made: Step, log_prob: float) -> Step:
    return replace(made, log_probs=(log_prob,) * len(made.token_ids))


def first_steps_then_answers(call: Call) -> Step:
    """The first step of particle i has an entropy of 0.2 (i + 1) nats; particle 0 ends with it."""
    if call.depth == 0:
        made = step("\\boxed{0}", "eos") if call.n == 0 else step(f"first of {call.n}")
        return sure(made, -0.2 * (call.n + 1))
    return sure(step(f"\\boxed{{{call.prefix[-2]}}}", "eos"), -0.7 if "1" in call.prefix else -0.3)


@pytest.mark.parametrize("zscore", [True, False])
def test_weights_are_exponentials_of_summed_entropies_or_z_scores(zscore: bool) -> None:
    result, _ = solved(first_steps_then_answers, entropy_zscore=zscore)
    first, second = np.array([0.2, 0.4, 0.6]), np.array([0.7, 0.3])
    if zscore:
        first, second = ((h - h.mean()) / h.std() for h in (first, second))
    expected = -np.add(first, [0.0, *second])
    assert [particle.answer for particle in result.particles] == ["0", "1", "2"]
    assert [particle.log_weight for particle in result.particles] == pytest.approx(expected)
    assert result.answer == "0"
    assert result.usage.prm_calls == 0
    assert {particle.scores for particle in result.particles} == {()}


def test_particles_continue_from_certain_steps() -> None:
    def write(call: Call) -> Step:
        if call.depth == 0:
            return sure(step("sure" if call.n == 1 else f"vague {call.n}"), -0.01 if call.n == 1 else -8.0)
        return sure(step(f"\\boxed{{{call.n}}}", "eos"), -0.5)

    result, _ = solved(write, entropy_zscore=False, ess_threshold=0.5, annealing="none")
    assert {particle.steps[0].text for particle in result.particles} == {"sure"}
    assert result.steps[0].resampled


def test_a_generator_without_log_probabilities_is_refused_at_its_first_step() -> None:
    def write(call: Call) -> Step | Awaitable[Step]:
        return replace(step("a"), log_probs=()) if call.n == 1 else hold()

    generator = Generator(write)
    with pytest.raises(InvalidRequest, match="log probabilities") as caught:
        drive(runner.search(resolve_request("p", SearchOptions(method="ipf")), generator=generator, reward_model=None))
    assert caught.value.param == "method"
    assert (len(generator.calls), generator.n_cancelled) == (8, 7)


def test_a_token_without_a_probability_does_not_break_the_weights() -> None:
    def write(call: Call) -> Step:
        return sure(step(f"\\boxed{{{call.n}}}", "eos"), -math.inf if call.n == 0 else math.nan if call.n == 1 else -0.1)

    result, _ = solved(write, entropy_zscore=False)
    assert result.answer == "2"
    assert np.isfinite([particle.log_weight for particle in result.particles]).all()
