"""Countdown with an oracle: make the target from all the numbers. Every move decides something, and late readings are sharp.

A move takes two numbers and puts their sum, positive difference, product or whole quotient in their place. The policy draws
legal moves at random, but sees a move to the target with probability 0.8 when two numbers are left, and with probability 0.35
a move that leaves the target within reach when three are left. The value of a state, its probability of success under this
policy, is known by enumeration (:mod:`benchmarks.regimes.moves`). The reward model reads its log odds, with an error of
standard deviation ``error_sd`` while three or more numbers are left: one for each state, or with ``kept`` one for each first
move, shared by all that follows. After that its standard deviation is 0.3.

A problem is made of numbers from 1 to 20 and of the result of one random game with them, from 10 to 100.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from benchmarks.regimes.moves import Game, enumerate_game
from benchmarks.regimes.world import clipped
from epf.search.smc.weights import BoolArray, FloatArray, IntArray

LATE_ERROR_SD = 0.3
MIN_VALUE = 1e-6
"""A state without a way to the target reads as the reward model's lowest log odds."""


@dataclass(frozen=True, slots=True)
class CountdownParticles:
    """State of each particle, its first move as the state after it, reading, and whether it is a guess, ``(p, n)``."""

    state: IntArray
    first: IntArray
    reading: FloatArray
    guess: BoolArray


@dataclass(frozen=True, slots=True)
class Countdown:
    """The world; its parameters are explained above."""

    numbers: int = 5
    error_sd: float = 0.0
    kept: bool = False
    checkable: bool = True

    @property
    def n_steps(self) -> int:
        """Number of steps of every solution."""
        return self.numbers - 1

    def draw(self, n_problems: int, rng: np.random.Generator) -> "CountdownProblems":
        """The same problems for every ``rng``, since each is enumerated once; the reward model's errors are new."""
        games = enumerated(self.numbers, n_problems)
        errors = []
        for game in games:
            sizes = [depth.values.size for depth in game.depths[1:]]
            early = [rng.normal(0.0, self.error_sd, size) for size in sizes[:-1]]
            errors.append((*early, rng.normal(0.0, LATE_ERROR_SD, sizes[-1]), np.zeros(game.hits.size)))
        return CountdownProblems(self, games, tuple(errors))


@dataclass(frozen=True, slots=True)
class CountdownProblems:
    """A batch; ``errors`` has for each problem and step the reward model's error about every state."""

    world: Countdown
    games: Sequence[Game]
    errors: Sequence[tuple[FloatArray, ...]]

    @property
    def n_problems(self) -> int:
        """Number of problems, p."""
        return len(self.games)

    def start(self, n: int) -> CountdownParticles:
        """``n`` particles for each problem before the first step."""
        nothing = np.zeros((self.n_problems, n), np.intp)
        return CountdownParticles(nothing, nothing, np.zeros(nothing.shape), nothing > 0)

    def step(self, particles: CountdownParticles, t: int, rng: np.random.Generator) -> CountdownParticles:
        """The particles after step ``t``."""
        state, reading = particles.state.copy(), particles.reading.copy()
        early = t < self.world.n_steps - 1
        guess = np.full(state.shape, early)
        for i, (game, errors) in enumerate(zip(self.games, self.errors, strict=True)):
            state[i] = here = game.depths[t - 1].move(particles.state[i], rng)
            first = here if t == 1 else particles.first[i]
            error = errors[0][first] if early and self.world.kept else errors[t - 1][here]
            reading[i] = clipped(_log_odds(_values(game, t)[here]) + error)
        return CountdownParticles(state, state if t == 1 else particles.first, reading, guess)

    def prefixes(self, particles: CountdownParticles) -> IntArray:
        """The numbers that are left."""
        return particles.state

    def right(self, particles: CountdownParticles, rng: np.random.Generator) -> BoolArray:
        """Whether each solution is right."""
        return np.array([game.hits[state] for game, state in zip(self.games, particles.state, strict=True)])


@lru_cache(maxsize=4)
def enumerated(numbers: int, n_problems: int) -> Sequence[Game]:
    """The games of the first ``n_problems`` problems with this number of numbers."""
    rng = np.random.default_rng([numbers, n_problems])
    return tuple(enumerate_game(numbers, rng) for _ in range(n_problems))


def _values(game: Game, t: int) -> FloatArray:
    """Probability of success of every state after step ``t``."""
    return game.depths[t].values if t < len(game.depths) else game.hits.astype(np.float64)


def _log_odds(probability: FloatArray) -> FloatArray:
    p = np.clip(probability, MIN_VALUE, 1.0 - MIN_VALUE)
    return np.asarray(np.log(p) - np.log1p(-p))
