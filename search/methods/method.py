"""The shape of a search method: a name, the options that define it, and a coroutine over a :class:`~search.engine.run.Run`."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from errors import InvalidRequest
from search.config import SearchConfig
from search.engine.run import Outcome, Run

_DEFAULTS = SearchConfig()

OF_ONE_METHOD: Final = ("iterations", "entropy_zscore", "pool_fraction", "certainty")
"""Options that only one method reads."""


def unused(*names: str) -> dict[str, Any]:
    """Options that say nothing to a method, for its ``fixed``: held at their defaults, so that no other choice is ignored."""
    return {name: getattr(_DEFAULTS, name) for name in names}


def only_own(*own: str) -> dict[str, Any]:
    """For ``fixed``: of the options of one method those that are not ``own``."""
    return unused(*(name for name in OF_ONE_METHOD if name not in own))


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
        resamples: whether particles are copied over others, so that more is sampled than the particles at the end hold.
    """

    name: str
    summary: str
    run: Callable[[Run], Awaitable[Outcome]]
    fixed: Mapping[str, Any] = field(default_factory=dict)
    needs_reward_model: bool = True
    resamples: bool = True

    def configured(self, config: SearchConfig) -> SearchConfig:
        """``config`` with this method's fixed options.

        Raises ``InvalidRequest`` where the caller chose another value than the default for one of them: no choice is ignored.
        """
        for name, value in self.fixed.items():
            chosen = getattr(config, name)
            if chosen not in (value, getattr(_DEFAULTS, name)):
                message = (
                    f"{name} is always {value!r} in method {self.name!r}, got {chosen!r}: leave it out or take another method"
                )
                raise InvalidRequest(message, param=name)
        return replace(config, **self.fixed)
