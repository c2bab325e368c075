"""Forks and corridors: a choice looks as good or bad as it will until its corridor ends, to all who took it.

A solution has ``stages`` of ``corridor`` steps. With the first step of a stage a particle takes one of ``ways``, of which one
is good; the rest of the stage is a corridor. Until the corridor's last step the reward model reads ``early_slope`` (x + e),
with x = ``separation`` for the good way and minus that for another. The error e ~ N(0, ``error_sd``) belongs to the way
itself: the reward model is a function of the prefix, so all copies of a particle, and all others that took this way, share its
misjudgement. With ``shared`` false every particle that takes a way is misjudged in its own manner. At the end of the corridor
the reward model knows (+4 or -4, with an error of 0.3), and a failed stage stays known. A solution is right if all its ways
were good.
"""

from dataclasses import dataclass

import numpy as np

from benchmarks.regimes.world import clipped
from epf.search.smc.weights import BoolArray, FloatArray, IntArray

KNOWN, KNOWN_SD = 4.0, 0.3


@dataclass(frozen=True, slots=True)
class ForkParticles:
    """Ways so far as a number, whether all were good, error about the newest, reading, whether it is a guess, ``(p, n)``."""

    path: IntArray
    good: BoolArray
    error: FloatArray
    reading: FloatArray
    guess: BoolArray


@dataclass(frozen=True, slots=True)
class Forks:
    """The world; its parameters are explained above."""

    stages: int = 3
    ways: int = 3
    separation: float = 1.0
    error_sd: float = 2.0
    early_slope: float = 2.0
    corridor: int = 3
    shared: bool = True
    checkable: bool = True

    @property
    def n_steps(self) -> int:
        """Number of steps of every solution."""
        return self.stages * self.corridor

    def draw(self, n_problems: int, rng: np.random.Generator) -> "ForkProblems":
        """Problems with their own misjudgements; way 0 is good, which no reading shows."""
        errors = tuple(rng.normal(0.0, self.error_sd, (n_problems, self.ways**stage)) for stage in range(1, self.stages + 1))
        return ForkProblems(self, errors)


@dataclass(frozen=True, slots=True)
class ForkProblems:
    """A batch; ``errors`` has for each stage the misjudgement of every path, ``(p, ways^stage)``."""

    world: Forks
    errors: tuple[FloatArray, ...]

    @property
    def n_problems(self) -> int:
        """Number of problems, p."""
        return len(self.errors[0])

    def start(self, n: int) -> ForkParticles:
        """``n`` particles for each problem before the first step."""
        shape = self.n_problems, n
        never = np.zeros(shape, np.bool_)
        return ForkParticles(np.zeros(shape, np.intp), ~never, np.zeros(shape), np.zeros(shape), never)

    def step(self, particles: ForkParticles, t: int, rng: np.random.Generator) -> ForkParticles:
        """The particles after step ``t``."""
        w, shape = self.world, particles.path.shape
        stage, place = divmod(t - 1, w.corridor)
        path, good, error, came_good = particles.path, particles.good, particles.error, particles.good
        if place == 0:
            way = rng.integers(w.ways, size=shape)
            path, good = path * w.ways + way, good & (way == 0)
            error = np.take_along_axis(self.errors[stage], path, axis=1) if w.shared else rng.normal(0.0, w.error_sd, shape)
        else:
            came_good = path // w.ways == 0
        known = np.where(good, KNOWN, -KNOWN) + rng.normal(0.0, KNOWN_SD, shape)
        if place == w.corridor - 1:
            return ForkParticles(path, good, error, clipped(known), np.zeros(shape, np.bool_))
        guessed = w.early_slope * (np.where(good, w.separation, -w.separation) + error)
        return ForkParticles(path, good, error, clipped(np.where(came_good, guessed, known)), came_good)

    def prefixes(self, particles: ForkParticles) -> IntArray:
        """The ways taken; a corridor leaves nothing to choose."""
        return particles.path

    def right(self, particles: ForkParticles, rng: np.random.Generator) -> BoolArray:
        """Whether each solution is right."""
        return particles.good
