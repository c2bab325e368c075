"""Intervals have their coverage: data sets are drawn from a known truth, and 95 % of their intervals must contain it."""

from collections.abc import Callable

import numpy as np
import pytest

from epf.evaluation.report.statistics import FloatArray, Interval, accuracy, difference

N_DRAWN = 300
Draw = Callable[[np.random.Generator], tuple[FloatArray, float]]


def right(n: int, seeds: int, a: float, b: float) -> Draw:
    """Problems with difficulties from Beta(a, b), each tried with ``seeds`` seeds; the truth is the mean difficulty."""
    return lambda rng: (rng.binomial(seeds, rng.beta(a, b, n)) / seeds, a / (a + b))


def gap(n: int, seeds: int, better: float, worse: float) -> Draw:
    """Pairs that only one of two methods solves, with probabilities ``better`` and ``worse``; the truth is the difference."""
    share = [better, worse, 1 - better - worse]

    def draw(rng: np.random.Generator) -> tuple[FloatArray, float]:
        won, lost, _ = rng.multinomial(seeds, share, size=n).T
        return (won - lost) / seeds, better - worse

    return draw


@pytest.mark.parametrize(
    ("interval", "draw"),
    [
        (accuracy, right(30, 1, 9, 1)),
        (accuracy, right(30, 3, 2, 2)),
        (accuracy, right(100, 3, 0.5, 0.5)),
        (accuracy, right(100, 1, 98, 2)),
        (accuracy, right(300, 3, 2, 1)),
        (difference, gap(30, 3, 0.2, 0.1)),
        (difference, gap(100, 1, 0.02, 0.02)),
        (difference, gap(100, 1, 0.04, 0.0)),
        (difference, gap(100, 3, 0.1, 0.1)),
        (difference, gap(300, 3, 0.08, 0.05)),
    ],
)
@pytest.mark.slow
def test_intervals_contain_the_truth_in_95_of_100_data_sets(interval: Callable[[FloatArray], Interval], draw: Draw) -> None:
    rng = np.random.default_rng(7)
    n_inside = 0
    for _ in range(N_DRAWN):
        values, truth = draw(rng)
        found = interval(values)
        n_inside += found.low <= truth <= found.high
    # Three standard errors of a share of 0.95 below it.
    assert n_inside / N_DRAWN >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / N_DRAWN)


@pytest.mark.parametrize("draw", [gap(40, 3, 0.1, 0.1), gap(100, 1, 0.02, 0.02), gap(300, 3, 0.02, 0.02), gap(10, 1, 0.4, 0.4)])
@pytest.mark.slow
def test_methods_that_are_alike_rarely_differ(draw: Draw) -> None:
    rng = np.random.default_rng(8)
    n_different = sum(difference(draw(rng)[0]).verdict != "tie" for _ in range(N_DRAWN))
    assert n_different / N_DRAWN <= 0.05 + 3 * np.sqrt(0.95 * 0.05 / N_DRAWN)


def test_a_method_that_is_better_by_ten_points_is_detected() -> None:
    rng = np.random.default_rng(9)
    draw = gap(200, 3, 0.2, 0.1)
    verdicts = [difference(draw(rng)[0]).verdict for _ in range(100)]
    assert verdicts.count("better") > 90
    assert verdicts.count("worse") == 0


@pytest.mark.parametrize(("won", "verdict"), [(0, "tie"), (4, "tie"), (8, "better"), (-8, "worse")])
def test_a_few_problems_that_only_one_method_solves_are_a_tie(won: int, verdict: str) -> None:
    values = np.zeros(100)
    values[: abs(won)] = np.sign(won)
    assert difference(values).verdict == verdict


def test_twenty_of_twenty_is_not_certain() -> None:
    found = accuracy(np.ones(20))
    assert found.mean == found.high == 1
    assert 0.75 < found.low < 0.95


def test_one_problem_decides_nothing() -> None:
    assert difference(np.ones(1)).verdict == "tie"


def test_the_same_rows_give_the_same_interval() -> None:
    values = np.random.default_rng(1).random(50)
    assert accuracy(values) == accuracy(values.copy())
