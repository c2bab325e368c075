"""A search method: its name, the options that it reads, and the coroutine that searches."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from epf.search.engine.search_run import SearchRun
from epf.search.engine.trajectory import Outcome
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
        "system_prompt",
        "separator",
        "stop",
        "answer_selection",
        "seed",
        "max_seconds",
        "max_total_tokens",
        "logprobs",
        "top_logprobs",
        "run_ahead",
    }
)
"""Options that every method reads."""

ANNEALING: Final = frozenset({"annealing", "ess_threshold", "early_phase", "horizon"})
RESAMPLING: Final = frozenset({"resampling", "weighting", "resample_finished", "straggler_quantile"})
LOOK_AHEAD: Final = frozenset({"lookahead", "lookahead_weight"})
"""Options of methods that anneal, resample, and look ahead."""

UNFILTERED: Final[Mapping[str, Any]] = {"annealing": "none", "lookahead": "none"}
"""``fixed`` of a method that does not draw ancestors by weight."""


def by_weight(_options: SearchOptions) -> AnswerSelection:
    """Particles vote with their weights."""
    return "weighted_vote"


@dataclass(frozen=True, slots=True)
class Method:
    """A way to spend steps and scores on one problem.

    Attributes:
        name: as a user writes it.
        summary: one line.
        run: samples and scores steps through the run and returns the particles. All its upstream calls go through
            ``SearchRun.run_tasks``, and at the deadline or without budget it returns what it has.
        own: options that the method reads in addition to ``COMMON``, unless they are fixed.
        fixed: options that make the method what it is, with the value that they always have.
        needs_reward_model: whether it scores particles with a reward model.
        votes: ``answer_selection`` if the caller chooses none.
        resamples: whether particles are copied over others, so that more is sampled than the particles at the end hold.
        needs_log_probs: whether it weighs steps by the log probabilities of their tokens.
        by_steps: whether it decides between steps, so that the generator must be able to continue a solution.
    """

    name: MethodName
    summary: str
    run: Callable[[SearchRun], Awaitable[Outcome]]
    own: frozenset[str] = frozenset()
    fixed: Mapping[str, Any] = field(default_factory=dict)
    needs_reward_model: bool = True
    votes: Callable[[SearchOptions], AnswerSelection] = by_weight
    resamples: bool = True
    by_steps: bool = True
    needs_log_probs: bool = False

    def reads(self, option: str) -> bool:
        """Whether a caller may choose this option."""
        return option not in self.fixed and (option in COMMON or option in self.own)
