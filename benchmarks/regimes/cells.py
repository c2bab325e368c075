"""What is measured: methods by name, and worlds by name with the methods and numbers of particles that are tried in them."""

from dataclasses import dataclass, replace
from typing import Any, Final

from benchmarks.regimes.countdown import Countdown
from benchmarks.regimes.filters import Answer, Filter
from benchmarks.regimes.forks import Forks
from benchmarks.regimes.plan import Plan
from epf.search.smc.filter import FilterConfig

FREE = FilterConfig(weighting="incremental", annealing="none", ess_threshold=0.0)
PLAIN = FilterConfig(annealing="none")
ANNEALED = FilterConfig()
ALWAYS_ANNEALED = FilterConfig(early_phase=1.0)
GATED = FilterConfig(weighting="incremental", annealing="none")


@dataclass(frozen=True, slots=True)
class Method:
    """A filter, and how its particles answer where it cannot be checked whether a solution is right."""

    filter: Filter
    answer: Answer = "vote"


METHODS: Final[dict[str, Method]] = {
    "any right": Method(Filter(FREE), "any"),
    "best_of_n": Method(Filter(FREE), "best"),
    "pf": Method(Filter(PLAIN)),
    "epf": Method(Filter(ANNEALED, power=0.5)),
    "epf_published": Method(Filter(ANNEALED)),
    "epf_published, look-ahead": Method(Filter(ANNEALED, lookahead=True)),
    "epf_published, uncorrected look-ahead": Method(Filter(ALWAYS_ANNEALED, lookahead=True, corrected=False)),
    "epf_published, at every step": Method(Filter(ALWAYS_ANNEALED)),
    "epf_published, distinct prefixes": Method(Filter(PLAIN, distinct=True)),
    "epf_published, distinct prefixes, at every step": Method(Filter(replace(PLAIN, early_phase=1.0), distinct=True)),
    "pf, calibrated": Method(Filter(PLAIN, calibrated=True)),
    "pf_once, calibrated": Method(Filter(GATED, calibrated=True)),
    "pf_once, calibrated, weighted vote": Method(Filter(GATED, calibrated=True), "weighted"),
    "pf, guesses x 0.25": Method(Filter(PLAIN, guess_slope=0.25)),
    "pf, guesses x 0.1": Method(Filter(PLAIN, guess_slope=0.1)),
    "pf_once, power 1": Method(Filter(GATED)),
    "pf_once, power 0.25": Method(Filter(GATED, power=0.25)),
    "pf_once, guesses x 0.25": Method(Filter(GATED, guess_slope=0.25)),
    "pf, islands of 4": Method(Filter(PLAIN, island=4)),
}

CORE: Final = (
    "any right",
    "best_of_n",
    "pf",
    "epf",
    "epf_published",
    "epf_published, look-ahead",
    "pf, calibrated",
    "pf_once, calibrated",
    "pf_once, power 0.25",
)
IN_PLAN: Final = (*CORE, "epf_published, uncorrected look-ahead", "pf_once, calibrated, weighted vote")
IN_FORKS: Final = (
    "best_of_n",
    "pf",
    "epf_published",
    "epf_published, uncorrected look-ahead",
    "pf, guesses x 0.25",
    "pf, guesses x 0.1",
    "pf_once, power 1",
    "pf_once, guesses x 0.25",
    "pf, islands of 4",
)
IN_COUNTDOWN: Final = (*CORE, "epf_published, uncorrected look-ahead")


@dataclass(frozen=True, slots=True)
class Place:
    """A world and what is tried in it.

    Attributes:
        particles: numbers of particles.
        n_problems, n_seeds: size of the sample; every seed has problems of its own, except in Countdown.
    """

    world: Any
    methods: tuple[str, ...]
    particles: tuple[int, ...]
    n_problems: int
    n_seeds: int


def _plan(world: Plan, *particles: int, n_seeds: int = 1) -> Place:
    return Place(world, IN_PLAN, particles, 2000, n_seeds)


def _forks(world: Forks, *particles: int, core: bool = False) -> Place:
    return Place(world, tuple(dict.fromkeys((*CORE, *IN_FORKS))) if core else IN_FORKS, particles, 1500, 2)


def _countdown(world: Countdown, n_problems: int) -> Place:
    return Place(world, IN_COUNTDOWN, (8, 16, 32), n_problems, 4)


PLACES: Final[dict[str, Place]] = {
    "plan, noisy early": _plan(Plan(), 8, 16, 32, n_seeds=2),
    "plan, noisy and over-confident": _plan(Plan(early_slope=4.0), 8, 16, 32, n_seeds=2),
    "plan, noisy and over-confident, revealed from step 2": _plan(Plan(early_slope=4.0, revealed=2), 16),
    "plan, calibrated": _plan(Plan(error_sd=0.3), 16),
    "forks, 3 stages of 3 ways": _forks(Forks(), 8, 16, 32, core=True),
    "forks, 2 stages of 3 ways": _forks(Forks(stages=2), 16),
    "forks, 3 stages of 2 ways, slope 3": _forks(Forks(ways=2, early_slope=3.0), 16),
    "forks, 2 stages of 4 ways, little to see, slope 3": _forks(Forks(stages=2, ways=4, separation=0.5, early_slope=3.0), 16),
    "forks, 3 stages of 3 ways, calibrated": _forks(Forks(error_sd=0.5, early_slope=1.0), 8, 16),
    "countdown, 5 numbers, exact": _countdown(Countdown(), 150),
    "countdown, 5 numbers, noisy early": _countdown(Countdown(error_sd=2.5), 150),
    "countdown, 6 numbers, noise of the first move kept": _countdown(Countdown(6, 2.5, kept=True), 80),
}
"""The worlds with expected figures (:mod:`benchmarks.regimes.expected`)."""

DISTINCT: Final = (
    "pf",
    "epf_published",
    "epf_published, at every step",
    "epf_published, distinct prefixes",
    "epf_published, distinct prefixes, at every step",
    "epf_published, look-ahead",
)
EXPERIMENT: Final[dict[str, Place]] = {
    f"distinct: {name}": Place(PLACES[name].world, DISTINCT, (16,), n_problems, n_seeds)
    for name, n_problems, n_seeds in (
        ("forks, 3 stages of 3 ways", 800, 1),
        ("forks, 2 stages of 4 ways, little to see, slope 3", 800, 1),
        ("forks, 3 stages of 3 ways, calibrated", 800, 1),
        ("countdown, 5 numbers, exact", 150, 2),
        ("countdown, 5 numbers, noisy early", 150, 2),
        ("countdown, 6 numbers, noise of the first move kept", 80, 2),
    )
}
"""Annealing by distinct prefixes, in the worlds in which particles can write the same."""

LATER = {"little": (2.0, 0.2), "half": (1.46, 0.553), "most": (0.926, 0.7)}
"""Standard deviations of the plan and of every later step; 7, 50 and 80 % of the whole variance, 4.28, come after the plan."""
READERS = {
    "sharp": Plan(error_sd=0.3),
    "noisy": Plan(persistence=0.0),
    "noisy, error stays": Plan(),
    "noisy and over-confident": Plan(persistence=0.0, early_slope=4.0),
    "noisy and over-confident, error stays": Plan(early_slope=4.0),
}

MAP: Final[dict[str, Place]] = {
    **{
        f"plan: {later} decided later, {reader}": Place(replace(world, plan_sd=plan, later_sd=step), CORE, (8, 32), 300, 1)
        for later, (plan, step) in LATER.items()
        for reader, world in READERS.items()
    },
    **{
        f"forks: {slope}, error {whose}": Place(Forks(early_slope=k, shared=shared), CORE, (8, 32), 300, 1)
        for slope, k in {"calibrated": 0.5, "over-confident": 2.0}.items()
        for whose, shared in {"of each particle": False, "of the way": True}.items()
    },
    "forks: sharp, error of the way": Place(Forks(early_slope=1.0, error_sd=0.5), CORE, (8, 32), 300, 1),
}
"""The map between the worlds: how much is decided later, how noisy readings are, how long errors stay, and who shares them."""

ALL: Final = PLACES | MAP | EXPERIMENT
