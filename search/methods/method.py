"""The shape of a search method: a name, the options that define it, and a coroutine over a run."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from epf.core.errors import InvalidRequest
from epf.search.engine.search_run import Outcome, Run
from epf.search.options import AnswerSelection, SearchConfig

_DEFAULTS = SearchConfig()

OF_FEW: Final = ("odds_power", "iterations", "entropy_zscore", "pool_fraction", "certainty", "aggregation", "beam_width")
"""Options that most methods do not read."""


def unused(*names: str) -> dict[str, Any]:
    """Options that say nothing to a method, for its ``fixed``: held at their defaults, so that no other choice is ignored."""
    return {name: getattr(_DEFAULTS, name) for name in names}


def only_own(*own: str) -> dict[str, Any]:
    """For ``fixed``: of the options of few methods those that are not ``own``."""
    return unused(*(name for name in OF_FEW if name not in own))


NO_FILTER: Final[Mapping[str, Any]] = {
    "annealing": "none",
    "lookahead": "none",
    **unused("ess_threshold", "early_phase", "horizon", "lookahead_weight", "resampling", "weighting", "resample_finished"),
}
"""``fixed`` of a method that draws no ancestors by weight."""


def by_weight(_config: SearchConfig) -> AnswerSelection:
    """Particles vote with their weights."""
    return "weighted_vote"


@dataclass(frozen=True, slots=True)
class Method:
    """A way to spend steps and scores on one problem.

    Attributes:
        name: as a user writes it.
        summary: one line.
        run: draws and judges steps through the run and ends with the particles. It keeps the run's contract: all upstream
            calls go through ``Run.gather``, and a deadline or a spent budget ends it with what it has.
        fixed: options that make the method what it is; a caller may not choose otherwise.
        needs_reward_model: whether it asks one.
        votes: ``answer_selection`` where the caller names none.
        resamples: whether particles are copied over others, so that more is sampled than the particles at the end hold.
    """

    name: str
    summary: str
    run: Callable[[Run], Awaitable[Outcome]]
    fixed: Mapping[str, Any] = field(default_factory=dict)
    needs_reward_model: bool = True
    votes: Callable[[SearchConfig], AnswerSelection] = by_weight
    resamples: bool = True

    def configured(self, config: SearchConfig) -> SearchConfig:
        """``config`` with this method's fixed options, and its way to an answer where the caller names none.

        Raises ``InvalidRequest`` where the caller chose another value than the default for one of them, or a vote by scores
        that the method does not have: no choice is ignored.
        """
        for name, value in self.fixed.items():
            chosen = getattr(config, name)
            if chosen not in (value, getattr(_DEFAULTS, name)):
                message = (
                    f"{name} is always {value!r} in method {self.name!r}, got {chosen!r}: leave it out or take another method"
                )
                raise InvalidRequest(message, param=name)
        chosen = replace(config, **self.fixed)
        if chosen.answer_selection == "probability_vote" and not self.needs_reward_model:
            message = f"answer_selection 'probability_vote' needs scores, which method {self.name!r} has none of: take another"
            raise InvalidRequest(message, param="answer_selection")
        return replace(chosen, answer_selection=chosen.answer_selection or self.votes(chosen))
