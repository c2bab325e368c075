"""The filter with a pool against the enumerable tree: unbiased for every whole path, and for the evidence."""

from typing import Any

import numpy as np
import pytest

from epf.search.smc import pool as smc
from epf.search.smc.annealing import Schedule, temperature
from epf.search.smc.weights import Scheme, ess
from tests.search.smc.test_filter_exact import MAX_Z, TREE, Path, worst_z

ROUNDS = 40
N = 5


def simulate(
    fraction: float, threshold: float, schedule: Schedule, scheme: Scheme, rng: np.random.Generator
) -> tuple[list[tuple[Path, float]], int]:
    """Paths and weights of the solutions, and the number of draws that went back."""
    pool, n_back = smc.start(), 0
    prefixes: list[Path] = []
    paths: list[Path] = [()] * N
    held, mixes = np.zeros(N), False
    for t in range(1, ROUNDS + 1):
        moved = [TREE.grow(path, rng) for path in paths]
        log_weights = held + np.array([TREE.logit[p] - TREE.logit[q] * bool(q) for p, q in zip(moved, paths, strict=True)])
        heat = temperature(schedule, log_weights, t / 6, threshold=threshold, early_phase=1.0)
        older = len(prefixes)
        prefixes += moved
        finished = np.array([TREE.is_final(path) for path in moved])
        share = fraction if mixes else 0.0
        pool, chosen, held = smc.draw(pool, log_weights, finished, N, fraction=share, temperature=heat, scheme=scheme, rng=rng)
        assert chosen.size <= N
        mixes = ess(log_weights) < threshold * len(moved)
        n_back += int((chosen < older).sum())
        paths = [prefixes[a] for a in chosen]
        if not paths:
            return [(prefixes[i], pool.solved[i]) for i in np.flatnonzero(pool.solved > -np.inf)], n_back
    raise AssertionError("the draws never end")


@pytest.mark.parametrize(
    ("fraction", "threshold", "schedule", "scheme"),
    [
        (0.0, 0.9, "none", "systematic"),
        (0.2, 0.9, "none", "systematic"),
        (0.6, 0.9, "none", "multinomial"),
        (0.4, 0.95, "base", "residual"),
    ],
)
@pytest.mark.slow
def test_solutions_and_evidence_are_unbiased(fraction: float, threshold: float, schedule: Schedule, scheme: Scheme) -> None:
    target = TREE.target("incremental")
    index = {path: k for k, path in enumerate(target)}
    table, n_back = np.zeros((1200, len(target))), 0
    for seed, row in enumerate(table):
        solutions, back = simulate(fraction, threshold, schedule, scheme, np.random.default_rng([11, seed]))
        n_back += back
        for path, log_weight in solutions:
            row[index[path]] += np.exp(log_weight) / N
    assert (n_back > 200) == (fraction > 0)
    assert worst_z(table, np.array(list(target.values()))) < MAX_Z


def test_a_round_that_does_not_mix_leaves_the_pool_alone_and_solutions_their_weights() -> None:
    pool, rng = smc.start(), np.random.default_rng(0)
    weights: dict[str, Any] = {"temperature": 1.0, "scheme": "systematic", "rng": rng}
    pool, chosen, held = smc.draw(pool, np.log([4.0, 1.0, 1.0]), np.array([True, False, False]), 3, fraction=0.5, **weights)
    assert chosen.tolist() == [1] or chosen.tolist() == [2]
    np.testing.assert_allclose(np.exp(held), [2.0])
    assert pool.solved.tolist() == [pytest.approx(np.log(4.0)), -np.inf, -np.inf]
    pool, chosen, held = smc.draw(pool, np.log([0.5]), np.array([True]), 3, fraction=0.0, **weights)
    assert chosen.size == held.size == 0
    np.testing.assert_allclose(np.exp(pool.solved), [4.0, 0.0, 0.0, 0.5])


def test_a_draw_goes_back_after_a_disappointment() -> None:
    rng = np.random.default_rng(0)
    draw: dict[str, Any] = {"n": 2, "temperature": 1.0, "scheme": "systematic", "rng": rng}
    pool, chosen, held = smc.draw(smc.start(), np.log([8.0, 2.0]), np.zeros(2, dtype=bool), fraction=0.0, **draw)
    np.testing.assert_allclose(np.exp(held), [5.0] * chosen.size)
    bad = held + np.log(1e-6)
    _, chosen, held = smc.draw(pool, bad, np.zeros(2, dtype=bool), fraction=0.5, **draw)
    assert set(chosen.tolist()) <= {0, 1}
    np.testing.assert_allclose(np.exp(held), [2.5, 2.5], rtol=1e-4)


def test_the_number_of_particles_that_continue_is_right_on_average() -> None:
    drawn = []
    for seed in range(600):
        draw: dict[str, Any] = {"fraction": 0.0, "temperature": 1.0, "scheme": "systematic", "rng": np.random.default_rng(seed)}
        _, chosen, held = smc.draw(smc.start(), np.log([7.0, 2.0, 1.0]), np.array([True, False, False]), 4, **draw)
        assert chosen.size in (1, 2)
        np.testing.assert_allclose(np.exp(held), 10.0 / 4)
        drawn.append(chosen.size)
    assert abs(np.mean(drawn) - 1.2) < 4 * 0.4 / np.sqrt(600)
