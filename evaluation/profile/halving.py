"""Successive halving: many candidates on a few problems, the better half on more, until one is left.

All candidates, and the default with them, search the same problems with the same seeds, so that differences are paired. The
default never drops out: it is what a gain is measured by. Each rung gets the same number of searches (Jamieson & Talwalkar,
arXiv 1502.07943); the problems of a rung contain those of the rung before, whose searches are not repeated.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from epf.evaluation.profile.trials import Candidate, Trials
from epf.evaluation.report.statistics import Interval, difference

MAX_SEEDS = 4
"""Further seeds of the same problems narrow an interval little."""


@dataclass(frozen=True, slots=True)
class Rung:
    """One comparison.

    Attributes:
        n_problems, n_seeds: what every candidate searched.
        gains: accuracy minus that of the default, by the name of the candidate.
    """

    n_problems: int
    n_seeds: int
    gains: Mapping[str, Interval]


async def compare(trials: Trials, base: Candidate, others: Sequence[Candidate], problems: range, each: int) -> Rung:
    """Compare candidates with ``base`` by about ``each`` searches of each of them, on the first of ``problems``."""
    n_problems, n_seeds = min(max(1, each), len(problems)), min(max(1, each // len(problems)), MAX_SEEDS)
    right = await trials.search((base, *others), problems[:n_problems], n_seeds)
    gains = {other.name: difference(right[other.name] - right[base.name]) for other in others}
    return Rung(right[base.name].size, n_seeds, gains)


async def halve(
    trials: Trials, base: Candidate, others: Sequence[Candidate], problems: range, n_searches: int
) -> tuple[Candidate, Rung]:
    """The best of ``base`` and ``others`` with about ``n_searches`` searches on ``problems``, and the last rung.

    Of equal candidates the first stays.
    """
    n_rungs = max(1, len(others).bit_length() - 1)
    left, each = list(others), 0
    while True:
        each += n_searches // n_rungs // (1 + len(left))
        rung = await compare(trials, base, left, problems, each)
        left.sort(key=lambda each: -rung.gains[each.name].mean)
        if len(left) <= 3:
            best = left[0]
            return (best if rung.gains[best.name].mean > 0 else base), rung
        left = left[: len(left) // 2]
