"""What the tuner found, as sentences for people."""

from collections.abc import Sequence

import numpy as np

from epf.evaluation.profile.halving import Rung
from epf.evaluation.profile.trials import Candidate
from epf.evaluation.report.statistics import Interval
from epf.evaluation.report.text import signed
from epf.evaluation.slope_by_depth import Solution


def sampled(solutions: Sequence[Sequence[Solution]]) -> str:
    """How often independent solutions are right."""
    n = max(map(len, solutions))
    there = [[right for right, _ in each] for each in solutions if each]
    one, any_right = np.mean([np.mean(each) for each in there]), np.mean([any(each) for each in there])
    return (
        f"{100 * one:.0f} % of {n} independent solutions of {len(there)} problems are right, and for "
        f"{100 * any_right:.0f} % of the problems at least one is."
    )


def halved(best: Candidate, base: Candidate, n: int, rung: Rung) -> str:
    """What successive halving chose."""
    if best == base:
        return f"None of {n} other ways to search is ahead of the default on {rung.n_problems} problems."
    gain = signed(rung.gains[best.name])
    return f"The best of {n} other ways to search is: {best.name}. On {rung.n_problems} problems it gains {gain} points."


def voted(best: Candidate, gain: Interval, n: int) -> str:
    """Which other vote is better."""
    return f"On {n} problems another vote gains {signed(gain)} points: {best.name}."


def confirmed(best: Candidate, n: int, gain: Interval) -> str:
    """Whether the choice holds on problems that did not make it."""
    end = "the profile takes it" if gain.verdict == "better" else "which confirms nothing, and the default stays"
    return f"On {n} problems that did not choose it, {best.name} gains {signed(gain)} points over the default: {end}."


def sized(chosen: Candidate, sized: Candidate, half: Candidate, double: Candidate, rung: Rung) -> str:
    """Which number of particles is worth its tokens."""
    more, less = signed(rung.gains[double.name]), signed(rung.gains[half.name])
    return (
        f"On {rung.n_problems} problems N = {double.n_particles} gains {more} points over N = {chosen.n_particles}, and "
        f"N = {half.n_particles} {less}: N = {sized.n_particles}."
    )
