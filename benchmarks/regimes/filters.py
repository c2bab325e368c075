"""Filters of this benchmark: options of the product's kernel, run on a batch of problems.

Only the loop over steps is here. What weighs, anneals, looks ahead and draws is :mod:`epf.search.smc.filter`, called for every
problem at every step, as a search does.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from benchmarks.regimes.distinct import temperatures
from benchmarks.regimes.world import Problems, World, choose, keep
from epf.search.smc import filter as smc
from epf.search.smc.weights import BoolArray, FloatArray

Answer = Literal["vote", "weighted", "best", "any"]


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter; its options are those of the kernel, and these.

    Attributes:
        kernel: options of the kernel, apart from the horizon, which is the number of steps.
        lookahead: whether particles look ahead one step, as ``reuse`` does.
        corrected: whether particles keep the weight by which look-ahead favoured them; the kernel's targets need it.
        island: number of particles that are filtered together; None for all.
        power: factor of all readings in the weights.
        calibrated: whether readings are multiplied by the slope of their depth.
        distinct: whether to anneal by the number of distinct prefixes (:mod:`benchmarks.regimes.distinct`). The kernel then
            gets tempered readings and does not anneal.
        guess_slope: factor of readings that are guesses; see :class:`benchmarks.regimes.world.Particles`.
    """

    kernel: smc.FilterConfig
    lookahead: bool = False
    corrected: bool = True
    island: int | None = None
    power: float = 1.0
    calibrated: bool = False
    distinct: bool = False
    guess_slope: float = 1.0


@dataclass(frozen=True, slots=True)
class Run:
    """A batch after its last step.

    Attributes:
        right, readings, log_weights: of each particle, ``(p, n)``.
        steps: number of sampled steps per problem.
        draws: number of resamplings per problem and island.
    """

    right: BoolArray
    readings: FloatArray
    log_weights: FloatArray
    steps: float
    draws: float


def run(
    problems: Problems[Any], world: World, filter_: Filter, n: int, rng: np.random.Generator, slopes: Sequence[float]
) -> Run:
    """Filter with ``n`` particles for each problem; ``slopes`` ``(n_steps,)`` are used by filters that are calibrated."""
    kernel = replace(filter_.kernel, horizon=world.n_steps)
    factor = filter_.power * (np.asarray(slopes) if filter_.calibrated else np.ones(world.n_steps))
    size = filter_.island or n
    shape, islands = (problems.n_problems, n), (problems.n_problems * n // size, size)
    first = np.arange(n) // size * size
    particles = problems.start(n)
    reused, reuses = particles, np.zeros(shape, np.bool_)
    states = [smc.start(size)] * islands[0]
    none = np.zeros(size, np.bool_)
    steps = draws = 0

    def logits(of: Any, t: int) -> FloatArray:
        strength = factor[t - 1] * np.where(of.guess, filter_.guess_slope, 1.0)
        return np.asarray(strength * of.reading).reshape(islands)

    for t in range(1, world.n_steps + 1):
        particles = choose(reuses, reused, problems.step(particles, t, rng))
        steps += int((~reuses).sum())
        last = t == world.n_steps
        read = logits(particles, t)
        if filter_.distinct and not last:
            heat = temperatures(
                read,
                problems.prefixes(particles).reshape(islands),
                t / kernel.horizon,
                threshold=kernel.ess_threshold,
                early_phase=kernel.early_phase,
            )
            read = read / heat[:, None]
        ahead = problems.step(particles, t + 1, rng) if filter_.lookahead and not last else None
        read_ahead = [None] * islands[0] if ahead is None else logits(ahead, t + 1)
        rounds = [
            smc.step(state, smc.Observation(now, none, none, next_, last), rng, kernel)
            for state, now, next_ in zip(states, read, read_ahead, strict=True)
        ]
        states, infos = [state for state, _ in rounds], [info for _, info in rounds]
        if not filter_.corrected:
            states = [replace(state, log_weights=np.zeros(size)) for state in states]
        draws += sum(info.resampled for info in infos)
        ancestors = np.array([info.ancestors for info in infos]).reshape(shape) + first
        particles = keep(particles, ancestors)
        if ahead is not None:
            steps += ahead.reading.size
            reused, reuses = keep(ahead, ancestors), ancestors == np.arange(n)
    log_weights = np.array([info.log_weights for info in infos]).reshape(shape)
    right = problems.right(particles, rng)
    return Run(right, particles.reading, log_weights, steps / problems.n_problems, draws / islands[0])


def solved(run_: Run, answer: Answer) -> BoolArray:
    """Whether each problem is solved, ``(p,)``.

    ``any`` counts a right particle wherever it is, and ``best`` the one with the highest reading. In a vote, with the
    probability that a particle reads or with its weight, the wrong particles stand for two answers, half of their votes each.
    """
    if answer == "any":
        return np.asarray(run_.right.any(axis=1))
    if answer == "best":
        return np.take_along_axis(run_.right, run_.readings.argmax(axis=1)[:, None], axis=1)[:, 0]
    log_votes = run_.log_weights if answer == "weighted" else -np.logaddexp(0.0, -run_.readings)
    votes = np.exp(log_votes - log_votes.max(axis=1, keepdims=True))
    return np.asarray((votes * run_.right).sum(axis=1) > (votes * ~run_.right).sum(axis=1) / 2.0)
