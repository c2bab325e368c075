"""What the worlds of this benchmark have in common: problems by the batch, and particles whose every step is readable.

A *world* is a language model and a reward model that numbers stand for: what a step may bring, what the reward model reads
after it, and whether a whole solution is right are all known. A batch has ``p`` problems with ``n`` particles each; every
array of the particles has shape ``(p, n)``.
"""

from dataclasses import fields, replace
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np

from epf.search.smc.weights import BoolArray, FloatArray, IntArray

MAX_LOG_ODDS = 12.0
"""Readings are clipped here: no reward model is surer."""


class Particles(Protocol):
    """Particles of a batch: a frozen dataclass of arrays ``(p, n)``.

    Attributes:
        reading: log odds that the reward model returned for the newest step.
        guess: whether the reward model guesses, since what decides is not revealed yet.
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def reading(self) -> FloatArray:
        """See above."""
        ...

    @property
    def guess(self) -> BoolArray:
        """See above."""
        ...


P = TypeVar("P", bound=Particles)


class Problems(Protocol[P]):
    """A batch of problems of one world, and how particles move in it.

    Attributes:
        n_problems: p.
    """

    n_problems: int

    def start(self, n: int) -> P:
        """``n`` particles for each problem before the first step."""
        ...

    def step(self, particles: P, t: int, rng: np.random.Generator) -> P:
        """The particles after step ``t``, from 1."""
        ...

    def prefixes(self, particles: P) -> IntArray:
        """Labels of the solutions so far, ``(p, n)``; equal for particles of one problem that have written the same."""
        ...

    def right(self, particles: P, rng: np.random.Generator) -> BoolArray:
        """Whether each solution is right, after the last step."""
        ...


class World(Protocol):
    """How problems of one kind are drawn.

    Attributes:
        n_steps: number of steps of every solution.
        checkable: whether a solution can be checked, so that any right particle solves the problem.
    """

    @property
    def n_steps(self) -> int:
        """See above."""
        ...

    @property
    def checkable(self) -> bool:
        """See above."""
        ...

    def draw(self, n_problems: int, rng: np.random.Generator) -> Problems[Any]:
        """New problems; for an enumerated world the same ones each time."""
        ...


def keep(particles: P, ancestors: IntArray) -> P:
    """The particles that continue the ``ancestors`` ``(p, n)``."""
    kept = {f.name: np.take_along_axis(getattr(particles, f.name), ancestors, axis=1) for f in fields(particles)}
    return replace(particles, **kept)


def choose(mask: BoolArray, first: P, second: P) -> P:
    """Particles of ``first`` where ``mask`` ``(p, n)`` holds, else of ``second``."""
    return replace(first, **{f.name: np.where(mask, getattr(first, f.name), getattr(second, f.name)) for f in fields(first)})


def clipped(log_odds: FloatArray) -> FloatArray:
    """Log odds within the reward model's range."""
    return np.clip(log_odds, -MAX_LOG_ODDS, MAX_LOG_ODDS)
