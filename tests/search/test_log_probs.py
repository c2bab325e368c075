"""The option ``logprobs``: tokens of every particle, a limit before anything is sampled, and what is missing is said."""

from typing import Any

import pytest

from epf.core.errors import InvalidRequest
from epf.core.generator import Abilities, Step
from epf.search import METHODS, SearchResult, asolve
from epf.search.engine.log_probs import MAX_LOG_PROBS
from epf.search.result import Token
from tests.search.scripted import SEARCHES, Call, Generator, RewardModel, drive, step

SHORT = {"max_tokens_per_particle": 100, "n_particles": 4, "seed": 1}


def write(call: Call) -> Step:
    """Two steps; each token has as many likely ones as were requested, and the first of a search an unreported one."""
    sampled = step("x" * (1 + call.n % 3)) if call.depth == 0 else step(f"\\boxed{{{call.n % 2}}}", "eos")
    top = tuple((bytes([65 + i]), -0.5 - i) for i in range(call.sampling.top_log_probs))
    return Step(
        sampled.token_ids, sampled.text, sampled.finish, sampled.log_probs, "", (top,) * len(sampled.token_ids) if top else ()
    )


def searched(writer: Any = write, generator: Generator | None = None, **options: Any) -> SearchResult:
    models: Any = {"generator": generator or Generator(writer), "reward_model": RewardModel(lambda steps: 0.8)}
    result: SearchResult = drive(asolve("problem", **{**SHORT, **options}, **models))
    return result


@pytest.mark.parametrize("method", [*SEARCHES, "sample"])
def test_each_particle_has_the_tokens_of_its_steps(method: str) -> None:
    n: dict[str, Any] = {"n_particles": 1} if method == "sample" else {}
    result = searched(method=method, logprobs=True, top_logprobs=2, **n)
    for particle in result.particles:
        assert particle.tokens is not None
        assert len(particle.tokens) == len(particle.steps)
        for taken, tokens in zip(particle.steps, particle.tokens, strict=True):
            assert tokens is not None
            assert tuple(token.id for token in tokens) == taken.token_ids
            assert tuple(token.log_prob for token in tokens) == taken.log_probs
            assert all(token.top == ((b"A", -0.5), (b"B", -1.5)) for token in tokens)
    without = searched(method=method, **n)
    assert [particle.steps for particle in without.particles] != []
    assert all(particle.tokens is None for particle in without.particles)
    assert [p.answer for p in without.particles] == [p.answer for p in result.particles]


def test_copies_of_a_particle_share_their_tokens() -> None:
    result = searched(logprobs=True, n_particles=16, method="epf")
    of_step: dict[int, set[int]] = {}
    for particle in result.particles:
        for taken, tokens in zip(particle.steps, particle.tokens or (), strict=True):
            of_step.setdefault(id(taken), set()).add(id(tokens))
    assert all(len(tokens) == 1 for tokens in of_step.values())


@pytest.mark.parametrize(
    ("options", "param", "words"),
    [
        ({"top_logprobs": 3}, "top_logprobs", "requires logprobs"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs", "at most 20"),
        ({"logprobs": True, "top_logprobs": -1}, "top_logprobs", "at least 0"),
        ({"logprobs": True, "top_logprobs": True}, "top_logprobs", "whole number"),
        ({"logprobs": 1}, "logprobs", "true or false"),
        (
            {"logprobs": True, "top_logprobs": 20, "n_particles": 128, "max_steps": 200, "max_tokens_per_step": 2048},
            "top_logprobs",
            "at most 500000 log probabilities, got 128 x 100 x 21 = 268800",
        ),
    ],
)
def test_what_is_refused_samples_nothing(options: dict[str, Any], param: str, words: str) -> None:
    generator = Generator(write)
    with pytest.raises(InvalidRequest) as refused:
        searched(generator=generator, **{**options, **({"max_tokens_per_particle": 1000} if "max_steps" in options else {})})
    assert refused.value.param == param
    assert words.replace("128 x 100 x 21 = 268800", "128 x 1000 x 21 = 2688000") in refused.value.message
    assert generator.calls == []


def test_the_limit_that_the_message_names_is_accepted() -> None:
    generator = Generator(write)
    with pytest.raises(InvalidRequest, match="set max_tokens_per_particle to at most 5952") as refused:
        searched(generator=generator, logprobs=True, top_logprobs=20, max_tokens_per_particle=None)
    assert "4 x 100000 x 21 = 8400000" in refused.value.message
    assert MAX_LOG_PROBS // (4 * 21) == 5952
    assert searched(logprobs=True, top_logprobs=20, max_tokens_per_particle=5952).answer is not None


class Announcing(Generator):
    """Says what it can do."""

    def __init__(self, writer: Any, abilities: Abilities) -> None:
        super().__init__(writer)
        self.abilities = abilities


def bare(call: Call) -> Step:
    found = write(call)
    return Step(found.token_ids, found.text, found.finish)


def test_a_generator_that_has_none_is_refused_at_once_or_at_its_first_step() -> None:
    announced = Announcing(bare, Abilities(log_probs=False))
    with pytest.raises(InvalidRequest, match="returns no log probabilities") as refused:
        searched(generator=announced, logprobs=True)
    assert (refused.value.param, announced.calls) == ("logprobs", [])
    silent = Generator(bare)
    with pytest.raises(InvalidRequest, match="returns no log probabilities"):
        searched(generator=silent, logprobs=True, method="best_of_n")
    assert len(silent.calls) <= 4
    assert searched(bare).particles[0].tokens is None


def test_a_step_without_log_probabilities_has_no_tokens_and_a_warning() -> None:
    def partly(call: Call) -> Step:
        return bare(call) if call.depth == 0 else write(call)

    result = searched(generator=Announcing(partly, Abilities(log_probs=True)), logprobs=True, method="best_of_n")
    for particle in result.particles:
        assert particle.tokens is not None
        assert particle.tokens[0] is None
        assert particle.tokens[1] is not None
    (warning,) = [one for one in result.warnings if one.code == "logprobs_missing"]
    assert "4 of 8 steps" in warning.message
    assert not any(one.code == "logprobs_missing" for one in searched(logprobs=True, top_logprobs=4).warnings)


def test_fewer_likely_tokens_than_requested_are_a_warning() -> None:
    def short(call: Call) -> Step:
        found = write(call)
        return Step(found.token_ids, found.text, found.finish, found.log_probs, "", tuple(t[:5] for t in found.top_log_probs))

    (warning,) = [one for one in searched(short, logprobs=True, top_logprobs=7).warnings if one.code == "logprobs_missing"]
    assert "fewer than 7" in warning.message


def test_a_log_probability_that_is_not_reported_is_missing() -> None:
    def low(call: Call) -> Step:
        found = write(call)
        top = (((b"A", -0.1), (b"B", -9999.0)),) * len(found.token_ids)
        return Step(found.token_ids, found.text, found.finish, (-9999.0, *found.log_probs[1:]), "", top)

    result = searched(low, logprobs=True, top_logprobs=2, method="best_of_n")
    tokens = (result.particles[0].tokens or ())[0]
    assert tokens is not None
    assert tokens[0] == Token(ord("x"), b"x", None, ((b"A", -0.1),))
    assert tokens[1].log_prob == -0.5


def test_ids_that_are_not_the_model_s_are_left_out() -> None:
    result = searched(generator=Announcing(write, Abilities(token_ids=False)), logprobs=True, method="best_of_n")
    tokens = (result.particles[0].tokens or ())[0]
    assert tokens is not None
    assert {token.id for token in tokens} == {None}
    assert tokens[0].data == b"x"


def test_every_method_reads_the_options() -> None:
    assert all(method.reads("logprobs") and method.reads("top_logprobs") for method in METHODS.values())
