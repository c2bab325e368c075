"""The shape of a search method: a name, the options that it reads, and a coroutine over a run."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from epf.search.engine.search_run import Outcome, Run
from epf.search.options import AnswerSelection, MethodName, SearchOptions

COMMON: Final = frozenset(
    {
        "method",
        "n_particles",
        "max_steps",
        "max_tokens_per_step",
        "temperature",
        "top_p",
        "max_tokens_per_particle",
        "separator",
        "stop",
        "answer_selection",
        "seed",
        "max_seconds",
        "max_total_tokens",
    }
)
"""Options that every method reads."""

ANNEALING: Final = frozenset({"annealing", "ess_threshold", "early_phase", "horizon"})
"""Options of a method that anneals."""

UNFILTERED: Final[Mapping[str, Any]] = {"annealing": "none", "lookahead": "none"}
"""``fixed`` of a method that draws no ancestors by weight."""


def by_weight(_options: SearchOptions) -> AnswerSelection:
    """Particles vote with their weights."""
    return "weighted_vote"


@dataclass(frozen=True, slots=True)
class Method:
    """A way to spend steps and scores on one problem.

    Attributes:
        name: as a user writes it.
        summary: one line.
        run: samples and scores steps through the run and ends with the particles. It keeps the run's contract: all upstream
            calls go through ``Run.gather``, and a deadline or a spent budget ends it with what it has.
        own: options that the method reads in addition to ``COMMON``.
        fixed: options that make the method what it is, with the value that they always have.
        needs_reward_model: whether it asks one.
        votes: ``answer_selection`` where the caller chooses none.
        resamples: whether particles are copied over others, so that more is sampled than the particles at the end hold.
    """

    name: MethodName
    summary: str
    run: Callable[[Run], Awaitable[Outcome]]
    own: frozenset[str] = frozenset()
    fixed: Mapping[str, Any] = field(default_factory=dict)
    needs_reward_model: bool = True
    votes: Callable[[SearchOptions], AnswerSelection] = by_weight
    resamples: bool = True

    def reads(self, option: str) -> bool:
        """Whether a caller may choose this option."""
        return option not in self.fixed and (option in COMMON or option in self.own)
