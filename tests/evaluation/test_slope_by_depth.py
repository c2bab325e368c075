import math
from itertools import combinations, product

import numpy as np
import pytest

from epf.evaluation.slope_by_depth import Groups, Solution, fit_slopes, misfit, slope_by_depth


@pytest.mark.parametrize("slope", [0.0, 0.25, 1.0])
def test_a_known_slope_is_found_whatever_the_problems_share(slope: float) -> None:
    rng = np.random.default_rng(5)
    problems: list[list[Solution]] = []
    for _ in range(400):
        difficulty, bias = rng.normal(0.0, 1.5), rng.normal(2.0, 2.0)
        reading = rng.normal(0.0, 2.0, 12)
        right = rng.random(12) < 1.0 / (1.0 + np.exp(-(difficulty + slope * reading)))
        scores = 1.0 / (1.0 + np.exp(-(reading + bias)))
        problems.append([(bool(r), (float(s),)) for r, s in zip(right, scores, strict=True)])
    found = slope_by_depth(problems)
    assert found is not None
    assert found.slopes[0] == pytest.approx(slope, abs=0.06)


def test_slopes_rise_with_depth_as_simulated() -> None:
    """At each depth the log odds to end right are a known multiple of the reading, apart from what is the problem's own."""
    rng = np.random.default_rng(6)
    problems: list[list[Solution]] = []
    for _ in range(500):
        quality = rng.normal(0.0, 1.0, 12)  # of the solution; within a problem the slope on (quality + e) / c is known
        right = rng.random(12) < 1.0 / (1.0 + np.exp(-quality))
        noise = (3.0, 1.0, 0.0)
        readings = [quality + rng.normal(0.0, sd, 12) if sd else quality for sd in noise]
        scores = [1.0 / (1.0 + np.exp(-reading)) for reading in readings]
        problems.append([(bool(r), tuple(float(s[i]) for s in scores)) for i, r in enumerate(right)])
    found = slope_by_depth(problems)
    assert found is not None
    first, second, third = found.slopes
    assert first == pytest.approx(0.1, abs=0.05)  # 1 / (1 + sd^2): the share of the reading that is signal
    assert second == pytest.approx(0.48, abs=0.08)
    assert third == pytest.approx(1.0, abs=0.1)
    assert found.n_problems[0] > 450


def test_the_likelihood_and_its_derivatives_are_those_of_enumeration() -> None:
    rng = np.random.default_rng(7)
    log_odds = rng.normal(0.0, 3.0, (2, 6))
    log_odds[1, 5] = -np.inf  # the second problem has one solution less
    groups = Groups(log_odds, np.array([2, 3]))

    def enumerated(slope: float) -> float:
        total = 0.0
        for row, m in zip(log_odds, groups.n_right, strict=True):
            there = row[np.isfinite(row)]
            sets = [sum(chosen) for chosen in combinations(there, int(m))]
            total += math.log(sum(math.exp(slope * each) for each in sets)) - slope * float(there[:m].sum())
        return total

    for slope in (0.0, 0.4, 1.3):
        h = 1e-3
        low, here, high = (enumerated(slope + move) for move in (-h, 0.0, h))
        expected = (here, (high - low) / (2 * h), (high - 2 * here + low) / h**2)
        assert misfit(groups, slope) == pytest.approx(expected, rel=1e-4)


def test_the_fit_is_the_minimum_of_its_loss() -> None:
    rng = np.random.default_rng(7)
    depths = [Groups(rng.normal(0.0, 2.0, (5, 6)), np.full(5, 2)) for _ in range(3)]
    found = fit_slopes(depths)

    def loss(b: np.ndarray) -> float:
        fit = sum(misfit(groups, slope)[0] for groups, slope in zip(depths, b, strict=True))
        return fit + 0.5 * float(((np.diff(b) / 0.3) ** 2).sum()) + 0.5 * float(((b - 1.0) ** 2).sum())

    assert all(loss(found) <= loss(found + 1e-3 * np.array(move)) for move in product((-1, 0, 1), repeat=3))


def test_a_rare_depth_follows_its_neighbours_and_no_data_end_the_curve() -> None:
    certain: list[Solution] = [(True, (0.9, 0.9)), (False, (0.1, 0.1))]
    shallow: list[list[Solution]] = [[(True, (0.9,)), (False, (0.8,)), (False, (0.95,))]] * 200
    found = slope_by_depth([*shallow, certain])
    assert found is not None
    assert found.n_problems == (201, 1)
    assert found.slopes[1] < 0.6  # one pair says little, and would be near 1.2 without its neighbour
    assert slope_by_depth([[(True, (0.9,)), (True, (0.8,))], [(False, (0.9,))], []]) is None
    assert slope_by_depth([]) is None


def test_a_misleading_score_has_no_negative_slope() -> None:
    backwards: list[Solution] = [(True, (0.2,)), (False, (0.9,))]
    found = slope_by_depth([backwards] * 100)
    assert found is not None
    assert found.slopes == (0.0,)


def test_surest_scores_are_finite() -> None:
    found = slope_by_depth([[(True, (1.0,)), (False, (0.0,)), (True, (0.0,))]] * 10)
    assert found is not None
    assert math.isfinite(found.slopes[0])
