"""What the tuner needs of the world: independent samples of some problems, and searches on some problems."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from epf.evaluation.report.statistics import FloatArray
from epf.evaluation.slope_by_depth import Solution


@dataclass(frozen=True, slots=True)
class Candidate:
    """A way to search with ``epf``.

    Attributes:
        name: in a few words, for people; different for each candidate.
        n_particles: number of particles.
        options: other options of ``epf`` by name; those that are missing have their defaults.
    """

    name: str
    n_particles: int
    options: Mapping[str, Any] = field(default_factory=dict)


class Trials(Protocol):
    """Searches on problems with known answers. Problems are numbered from 0, in an order that means nothing."""

    @property
    def n_problems(self) -> int:
        """Number of problems."""
        ...

    async def sample(self, problems: range, n: int) -> Sequence[Sequence[Solution]]:
        """``n`` independent solutions of each problem, scored after every step; fewer where some could not be scored."""
        ...

    async def search(self, candidates: Sequence[Candidate], problems: range, n_seeds: int) -> Mapping[str, FloatArray]:
        """Share of ``n_seeds`` searches with the right answer, ``(problems,)`` for each candidate by name.

        All candidates have the same problems and seeds. Repeating a search costs nothing. A problem on which a search failed
        is left out for all candidates.
        """
        ...
