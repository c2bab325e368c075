"""Plan, then reveal: the first step decides nearly everything, and the reward model misreads it until late.

A particle has a quality q, and its solution is right with probability sigmoid(q) at the end. The plan, step 1, adds N(0,
``plan_sd``), every later step N(0, ``later_sd``): their ratio is how much is decided after the plan. Before step ``revealed``
the reward model reads ``early_slope`` (q + e) with an error e that stays with the particle and its copies: an AR(1) process of
standard deviation ``error_sd`` and the given ``persistence``. From then on it reads q with a small fresh error.
"""

from dataclasses import dataclass

import numpy as np

from benchmarks.regimes.world import clipped
from epf.search.smc.weights import BoolArray, FloatArray, IntArray

LATE_ERROR_SD = 0.3


@dataclass(frozen=True, slots=True)
class PlanParticles:
    """Quality, error of the reward model, reading, and whether it is a guess, ``(p, n)``."""

    quality: FloatArray
    error: FloatArray
    reading: FloatArray
    guess: BoolArray


@dataclass(frozen=True, slots=True)
class Plan:
    """The world; its parameters are explained above."""

    n_steps: int = 8
    revealed: int = 5
    mean_quality: float = -3.0
    plan_sd: float = 2.0
    later_sd: float = 0.2
    error_sd: float = 3.0
    persistence: float = 0.9
    early_slope: float = 1.0
    checkable: bool = False

    def draw(self, n_problems: int, rng: np.random.Generator) -> "PlanProblems":
        """Problems of different difficulty, q_0 ~ N(``mean_quality``, 1)."""
        return PlanProblems(self, self.mean_quality + rng.normal(size=n_problems))


@dataclass(frozen=True, slots=True)
class PlanProblems:
    """A batch; ``difficulty`` is q_0, ``(p,)``."""

    world: Plan
    difficulty: FloatArray

    @property
    def n_problems(self) -> int:
        """Number of problems, p."""
        return self.difficulty.size

    def start(self, n: int) -> PlanParticles:
        """``n`` particles for each problem before the first step."""
        quality = np.repeat(self.difficulty[:, None], n, axis=1)
        nothing = np.zeros_like(quality)
        return PlanParticles(quality, nothing, nothing, nothing > 0)

    def step(self, particles: PlanParticles, t: int, rng: np.random.Generator) -> PlanParticles:
        """The particles after step ``t``."""
        w, shape = self.world, particles.quality.shape
        quality = particles.quality + rng.normal(0.0, w.plan_sd if t == 1 else w.later_sd, shape)
        if t >= w.revealed:
            reading = clipped(quality + rng.normal(0.0, LATE_ERROR_SD, shape))
            return PlanParticles(quality, particles.error, reading, np.zeros(shape, np.bool_))
        fresh = rng.normal(0.0, w.error_sd, shape)
        error = fresh if t == 1 else w.persistence * particles.error + np.sqrt(1.0 - w.persistence**2) * fresh
        return PlanParticles(quality, error, clipped(w.early_slope * (quality + error)), np.ones(shape, np.bool_))

    def prefixes(self, particles: PlanParticles) -> IntArray:
        """No two particles write the same."""
        return np.broadcast_to(np.arange(particles.quality.shape[1]), particles.quality.shape)

    def right(self, particles: PlanParticles, rng: np.random.Generator) -> BoolArray:
        """Whether each solution is right."""
        return rng.random(particles.quality.shape) < 1.0 / (1.0 + np.exp(-particles.quality))
