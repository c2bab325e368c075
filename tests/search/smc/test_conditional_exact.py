"""Conditional SMC leaves the exact posterior invariant: every random choice of a sweep of two particles is enumerated."""

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest

from epf.search.smc.filter import FilterConfig, FilterState, Observation, start, step
from epf.search.smc.weights import normalise
from tests.search.smc.test_filter_exact import DEPTH, TREE, Path

REFERENCE = 1


class Uniform(np.random.Generator):
    """A random generator that always returns the given uniform number."""

    def __init__(self, value: float) -> None:
        super().__init__(np.random.PCG64(0))
        self.value = value

    def random(self, size: Any = None, *_: Any, **__: Any) -> Any:
        return np.full(size, self.value)


def children(path: Path) -> list[tuple[Path, float]]:
    return [(path, 1.0)] if TREE.is_final(path) else [((*path, s), q) for s, q in enumerate(TREE.transition[path])]


def observed(paths: list[Path], last: bool) -> Observation:
    return Observation(
        logits=np.array([TREE.logit[p] for p in paths]),
        finished=np.array([TREE.is_final(p) for p in paths]),
        dead=np.zeros(len(paths), dtype=bool),
        last=last,
    )


def sweep(trajectory: Path, config: FilterConfig) -> dict[Path, float]:
    """Probability of each path to be the next reference: its weight, averaged over all possible draws of a sweep."""
    chosen = dict.fromkeys(TREE.target("incremental"), 0.0)

    def go(free: Path, state: FilterState, p: float, t: int) -> None:
        for path, q in children(free):
            paths = [path, trajectory[:t]]
            observation = observed(paths, t == DEPTH)
            after, info = step(state, observation, Uniform(0.0), config, REFERENCE)
            if t == DEPTH:
                for end, weight in zip(paths, normalise(info.log_weights), strict=True):
                    chosen[end] += p * q * weight
            elif not info.resampled:
                go(path, after, p * q, t + 1)
            else:
                edges = np.concatenate([[0.0], np.cumsum(normalise(info.log_weights / info.temperature))])
                for ancestor, (low, high) in enumerate(itertools.pairwise(edges)):
                    for u in (low + 1e-9, high - 1e-9):  # the kernel's own probabilities lie between them
                        after, info = step(state, observation, Uniform(u), config, REFERENCE)
                        assert info.ancestors.tolist() == [ancestor, REFERENCE]
                    go(paths[ancestor], after, p * q * (high - low), t + 1)

    go((), start(2), 1.0, 1)
    return chosen


@pytest.mark.parametrize(
    "options",
    [
        {"annealing": "none", "ess_threshold": 1.0},
        {"annealing": "none", "ess_threshold": 0.9},
        {"annealing": "base", "ess_threshold": 1.0, "early_phase": 1.0, "horizon": 6},
    ],
    ids=["every round", "at low ess", "annealed"],
)
def test_the_posterior_is_invariant(options: dict[str, Any]) -> None:
    config = FilterConfig(weighting="incremental", resampling="multinomial", **options)
    gamma = TREE.target("incremental")
    after = dict.fromkeys(gamma, 0.0)
    for trajectory, mass in gamma.items():
        for path, p in sweep(trajectory, config).items():
            after[path] += mass * p
    assert list(after.values()) == pytest.approx(list(gamma.values()), rel=1e-12)
    assert sweep(next(iter(gamma)), config) != pytest.approx({**dict.fromkeys(gamma, 0.0), next(iter(gamma)): 1.0})


def test_a_reference_requires_independent_draws() -> None:
    config = FilterConfig(weighting="incremental")
    with pytest.raises(ValueError, match="multinomial, not systematic"):
        step(start(2), observed([(0,), (1,)], last=False), np.random.default_rng(0), config, REFERENCE)


@pytest.mark.parametrize("resample_finished", [True, False])
def test_the_reference_always_continues_itself(resample_finished: bool) -> None:
    config = FilterConfig(
        weighting="incremental", resampling="multinomial", ess_threshold=1.0, resample_finished=resample_finished
    )
    observation = dataclasses.replace(observed([(0,), (1,), (1,)], last=False), logits=np.array([3.0, 3.0, -9.0]))
    for seed in range(20):
        _, info = step(start(3), observation, np.random.default_rng(seed), config, 2)
        assert info.resampled
        assert info.ancestors[2] == 2
