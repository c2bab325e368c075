"""The filter against a model small enough to enumerate.

A tree of three symbols and depth three with random transition probabilities and scores; some nodes are final. For a properly
weighted filter the estimate exp(log_scale) / n * sum_i exp(log_weight_i) 1{particle i = x} of the unnormalised target gamma(x)
is unbiased for every n, so over many seeds its mean must match p(x) prod G(x) for each path x, and its sum the evidence.
"""

import itertools

import numpy as np
import pytest

from epf.search.smc.annealing import Schedule
from epf.search.smc.filter import FilterConfig, FilterState, Observation, Weighting, start, step
from epf.search.smc.weights import FloatArray, Scheme, logit

DEPTH = 3
N_SEEDS = 1200
MAX_Z = 4.0
Path = tuple[int, ...]


class Tree:
    """Transition probabilities and scores of every prefix; ``final`` prefixes end there."""

    def __init__(self, seed: int = 3) -> None:
        rng = np.random.default_rng(seed)
        self.final = {(0,), (1, 2), (2, 0)}
        self.transition = {}
        self.logit = {}
        for depth in range(DEPTH + 1):
            for prefix in itertools.product(range(3), repeat=depth):
                self.transition[prefix] = rng.dirichlet([6.0, 6.0, 6.0])
                self.logit[prefix] = float(logit(rng.uniform(0.3, 0.8)))

    def is_final(self, path: Path) -> bool:
        return path in self.final or len(path) == DEPTH

    def grow(self, path: Path, rng: np.random.Generator) -> Path:
        if self.is_final(path):
            return path
        return (*path, int(np.searchsorted(np.cumsum(self.transition[path]), rng.random() * (1 - 1e-12), side="right")))

    def target(self, weighting: Weighting) -> dict[Path, float]:
        """gamma(x) of every whole path: p(x) prod_t odds_t (current) or p(x) odds_T (incremental)."""
        gamma: dict[Path, float] = {}

        def descend(path: Path, p: float, log_g: float, t: int) -> None:
            if t == DEPTH:
                gamma[path] = p * np.exp(log_g if weighting == "current" else self.logit[path])
                return
            children = [(path, 1.0)] if self.is_final(path) else [((*path, s), q) for s, q in enumerate(self.transition[path])]
            for child, q in children:
                descend(child, p * q, log_g + self.logit[child], t + 1)

        descend((), 1.0, 0.0, 0)
        return gamma


TREE = Tree()


def simulate(config: FilterConfig, n: int, lookahead: str, rng: np.random.Generator) -> tuple[list[Path], FilterState]:
    """One run of the filter over the tree: final paths and the final state."""
    paths: list[Path] = [()] * n
    kept: list[Path | None] = [None] * n
    state = start(n)
    for t in range(1, DEPTH + 1):
        paths = [TREE.grow(path, rng) if ahead is None else ahead for path, ahead in zip(paths, kept, strict=True)]
        finished = np.array([TREE.is_final(p) for p in paths])
        successors = [TREE.grow(p, rng) for p in paths] if lookahead != "none" and t < DEPTH else None

        def logits_of(chosen: list[Path]) -> FloatArray:
            return np.array([TREE.logit[p] for p in chosen])

        observation = Observation(
            logits=logits_of(paths),
            finished=finished,
            dead=np.zeros(n, dtype=bool),
            successor_logits=None if successors is None else logits_of(successors),
            last=t == DEPTH,
        )
        state, info = step(state, observation, rng, config)
        paths = [paths[a] for a in info.ancestors]
        kept = [None] * n
        if successors is not None and (lookahead == "reuse" or not info.resampled):
            kept = [successors[a] if a == i else None for i, a in enumerate(info.ancestors)]
    return paths, state


def estimates(
    config: FilterConfig, n: int = 5, lookahead: str = "none", n_seeds: int = N_SEEDS
) -> tuple[FloatArray, FloatArray]:
    """Estimates of gamma(x) by each seed, ``(n_seeds, n_paths)``, and the exact values ``(n_paths,)``."""
    target = TREE.target(config.weighting)
    index = {path: k for k, path in enumerate(target)}
    table = np.zeros((n_seeds, len(target)))
    for seed, row in enumerate(table):
        paths, state = simulate(config, n, lookahead, np.random.default_rng([7, seed]))
        for path, log_weight in zip(paths, state.log_weights, strict=True):
            row[index[path]] += np.exp(state.log_scale + log_weight) / n
        assert np.exp(state.log_evidence) == pytest.approx(row.sum())
    return table, np.array(list(target.values()))


def worst_z(table: FloatArray, exact: FloatArray) -> float:
    """Largest deviation in standard errors over all paths and the evidence."""
    table = np.column_stack([table, table.sum(axis=1)])
    exact = np.append(exact, exact.sum())
    standard_error = table.std(axis=0, ddof=1) / np.sqrt(len(table))
    return float(np.max(np.abs(table.mean(axis=0) - exact) / standard_error))


@pytest.mark.parametrize("resampling", ["systematic", "stratified", "residual", "multinomial"])
@pytest.mark.parametrize("weighting", ["current", "incremental"])
def test_distribution_and_evidence_are_exact(weighting: Weighting, resampling: Scheme) -> None:
    config = FilterConfig(weighting=weighting, annealing="none", resampling=resampling, ess_threshold=0.8)
    assert worst_z(*estimates(config)) < MAX_Z


@pytest.mark.parametrize("annealing", ["ess", "entropy", "base", "cess"])
@pytest.mark.slow
def test_annealing_leaves_the_incremental_target_exact(annealing: Schedule) -> None:
    config = FilterConfig(weighting="incremental", annealing=annealing, ess_threshold=0.9, early_phase=1.0, horizon=6)
    assert worst_z(*estimates(config)) < MAX_Z


@pytest.mark.parametrize("weighting", ["current", "incremental"])
@pytest.mark.parametrize("lam", [0.5, 1.0])
@pytest.mark.slow
def test_redrawn_lookahead_is_exact(weighting: Weighting, lam: float) -> None:
    config = FilterConfig(weighting=weighting, annealing="none", lam=lam, ess_threshold=0.8)
    assert worst_z(*estimates(config, lookahead="redraw")) < MAX_Z


def test_redrawn_lookahead_with_annealing_is_exact() -> None:
    config = FilterConfig(weighting="incremental", annealing="ess", ess_threshold=0.9, early_phase=1.0)
    assert worst_z(*estimates(config, lookahead="redraw")) < MAX_Z


@pytest.mark.parametrize("weighting", ["current", "incremental"])
@pytest.mark.slow
def test_reused_lookahead_without_a_guide_is_exact(weighting: Weighting) -> None:
    config = FilterConfig(weighting=weighting, annealing="none", lam=0.0, ess_threshold=0.8)
    assert worst_z(*estimates(config, lookahead="reuse")) < MAX_Z


@pytest.mark.slow
def test_one_particle_that_reuses_its_successor_is_exact() -> None:
    config = FilterConfig(weighting="incremental", annealing="none", lam=0.5, ess_threshold=1.0)
    assert worst_z(*estimates(config, n=1, lookahead="reuse", n_seeds=3000)) < MAX_Z


@pytest.mark.parametrize(("weighting", "most"), [("current", 0.08), ("incremental", 0.03)])
def test_reused_lookahead_has_a_small_error(weighting: Weighting, most: float) -> None:
    """Without the second-stage correction the total variation distances here are 0.11 and 0.06."""
    config = FilterConfig(weighting=weighting, annealing="none", lam=0.5, ess_threshold=0.8)
    table, exact = estimates(config, n=40, lookahead="reuse", n_seeds=300)
    assert 0.5 * np.abs(table.sum(axis=0) / table.sum() - exact / exact.sum()).sum() < most


def test_finished_particles_left_out_of_resampling_keep_the_incremental_target() -> None:
    config = FilterConfig(weighting="incremental", annealing="none", resample_finished=False, ess_threshold=0.9)
    assert worst_z(*estimates(config)) < MAX_Z


def test_many_particles_reach_the_posterior() -> None:
    config = FilterConfig(weighting="incremental", annealing="ess", ess_threshold=0.5)
    table, exact = estimates(config, n=400, n_seeds=40)
    posterior = (table / table.sum(axis=1, keepdims=True)).mean(axis=0)
    np.testing.assert_allclose(posterior, exact / exact.sum(), atol=0.005)
    np.testing.assert_allclose(table.sum(axis=1).mean(), exact.sum(), rtol=0.02)
