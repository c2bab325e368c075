import math
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epf.search.engine.select_answer import Choice, choose
from epf.search.options import AnswerSelection

INF = math.inf
SELECTIONS: tuple[AnswerSelection, ...] = ("weighted_vote", "majority", "argmax", "sample")


def vote(
    answers: list[str | None], log_weights: list[float], selection: AnswerSelection = "weighted_vote", seed: int = 0
) -> Choice | None:
    """Vote with one class per distinct text."""
    texts: list[str | None] = list(dict.fromkeys(answers))
    return choose(answers, [texts.index(a) for a in answers], log_weights, selection, np.random.default_rng(seed))


def logs(*weights: float) -> list[float]:
    return [math.log(w) for w in weights]


def test_weighted_vote_sums_weights() -> None:
    choice = vote(["a", "b", "b", "c"], logs(0.4, 0.25, 0.3, 0.05))
    assert choice is not None
    assert (choice.answer, choice.particle) == ("b", 2)
    assert choice.share == pytest.approx(0.55)
    assert [(s.answer, s.n_particles) for s in choice.distribution] == [("b", 2), ("a", 1), ("c", 1)]
    assert [s.probability for s in choice.distribution] == pytest.approx([0.55, 0.4, 0.05])
    assert choice.entropy == pytest.approx(-sum(p * math.log(p) for p in (0.55, 0.4, 0.05)))


def test_majority_counts() -> None:
    choice = vote(["a", "b", "b", None], logs(0.9, 0.05, 0.04, 0.01), "majority")
    assert choice is not None
    assert (choice.answer, choice.particle) == ("b", 1)
    assert [s.probability for s in choice.distribution] == pytest.approx([2 / 3, 1 / 3])


def test_argmax_takes_the_heaviest_particle_even_if_another_class_has_more_weight() -> None:
    choice = vote(["a", "b", "b"], logs(0.4, 0.3, 0.3), "argmax")
    assert choice is not None
    assert (choice.answer, choice.particle) == ("a", 0)
    assert choice.share == pytest.approx(0.4)
    assert choice.distribution[0].answer == "b"


def test_sample_draws_by_weight() -> None:
    n = 4000
    drawn = [vote(["a", "b", "b"], logs(0.4, 0.35, 0.25), "sample", seed) for seed in range(n)]
    share = sum(choice is not None and choice.answer == "a" for choice in drawn) / n
    assert abs(share - 0.4) < 4 * math.sqrt(0.4 * 0.6 / n)
    assert {choice.particle for choice in drawn if choice is not None} == {0, 1}  # of b always the heavier one


def test_a_class_is_shown_as_its_heaviest_particle_wrote_it() -> None:
    choice = choose(["0.5", "1/2"], [0, 0], logs(0.3, 0.7), "weighted_vote", np.random.default_rng(0))
    assert choice is not None
    assert (choice.answer, choice.particle, choice.share, choice.entropy) == ("1/2", 1, 1.0, 0.0)


@pytest.mark.parametrize("selection", SELECTIONS)
def test_dead_and_unanswered_particles_have_no_vote(selection: AnswerSelection) -> None:
    choice = vote(["dead", None, "a"], [-INF, 5.0, -700.0], selection)
    assert choice is not None
    assert (choice.answer, choice.particle, choice.share) == ("a", 2, 1.0)
    assert len(choice.distribution) == 1


@pytest.mark.parametrize("selection", SELECTIONS)
@pytest.mark.parametrize(("answers", "weights"), [([], []), ([None, None], [0.0, 0.0]), (["a", None], [-INF, 0.0])])
def test_no_votes(selection: AnswerSelection, answers: list[str | None], weights: list[float]) -> None:
    assert vote(answers, weights, selection) is None


@pytest.mark.parametrize("selection", SELECTIONS)
def test_weights_far_below_the_smallest_float(selection: AnswerSelection) -> None:
    choice = vote(["a", "b", "b"], [-1e6, -1e6 + math.log(3), -2e6], selection)
    assert choice is not None
    assert [s.n_particles for s in choice.distribution if s.answer == "b"] == [2]
    if selection == "weighted_vote":
        assert choice.share == pytest.approx(0.75)
    assert all(math.isfinite(s.probability) for s in choice.distribution)


def test_a_tie_goes_to_the_class_with_the_heavier_best_particle() -> None:
    choice = vote(["a", "a", "b", "b"], logs(0.25, 0.25, 0.3, 0.2), "majority")
    assert choice is not None
    assert choice.answer == "b"


@pytest.mark.parametrize("selection", ["weighted_vote", "majority", "argmax"])
def test_a_full_tie_goes_to_the_lowest_index(selection: AnswerSelection) -> None:
    choice = vote(["a", "b", "b", "a"], [0.0] * 4, selection)
    assert choice is not None
    assert (choice.answer, choice.particle, choice.share) == ("a", 0, 0.5)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_nan_weight_is_a_bug_of_the_caller(bad: float) -> None:
    with pytest.raises(AssertionError):
        vote(["a", "b"], [0.0, bad])


particles = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c", None]), st.one_of(st.just(-INF), st.floats(-1e6, 1e6))), min_size=1, max_size=12
)


@settings(deadline=None)
@given(particles, st.sampled_from(SELECTIONS), st.integers(0, 3))
def test_any_vote_is_a_distribution_that_agrees_with_its_choice(
    weighed: list[tuple[str | None, float]], selection: AnswerSelection, seed: int
) -> None:
    answers, weights = [a for a, _ in weighed], [w for _, w in weighed]
    choice = vote(answers, weights, selection, seed)
    voters = [i for i, (a, w) in enumerate(weighed) if a is not None and w > -INF]
    assert (choice is None) == (not voters)
    if choice is None:
        return
    assert sum(s.probability for s in choice.distribution) == pytest.approx(1.0)
    assert sum(s.n_particles for s in choice.distribution) == len(voters)
    assert [s.probability for s in choice.distribution] == sorted((s.probability for s in choice.distribution), reverse=True)
    assert 0.0 <= choice.entropy <= math.log(len(choice.distribution)) + 1e-9
    assert answers[choice.particle] == choice.answer
    assert weights[choice.particle] == max(weights[i] for i in voters if answers[i] == choice.answer)
    assert choice.share == next(s.probability for s in choice.distribution if s.answer == choice.answer)
    if selection in ("weighted_vote", "majority"):
        assert choice.answer == choice.distribution[0].answer


@settings(deadline=None)
@given(particles, st.randoms(use_true_random=False))
def test_order_of_particles_does_not_change_the_distribution(weighed: list[tuple[str | None, float]], random: Random) -> None:
    shuffled = sorted(weighed, key=lambda _: random.random())
    first, second = (vote([a for a, _ in some], [w for _, w in some]) for some in (weighed, shuffled))
    assert (first is None) == (second is None)
    if first is not None and second is not None:
        assert {s.answer: pytest.approx(s.probability) for s in first.distribution} == {
            s.answer: s.probability for s in second.distribution
        }
