"""Learns a profile: what the scores are worth by depth, then the options that help, confirmed on problems that chose nothing.

1. **Sample.** Independent solutions of some problems give the slopes by depth and the length of a solution.
2. **Choose.** Successive halving over the candidates, then over ways to vote, on two thirds of the problems.
3. **Confirm.** The chosen candidate replaces the default only if it is better on the last third, beyond a 95 % interval.
4. **Size.** Twice the particles if they are better beyond an interval, half of them if they are at most
   :data:`NOTICEABLE` worse within one.

``docs/decisions/profiles.md`` has the reasons.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from epf.core.errors import InvalidRequest
from epf.evaluation.profile.candidates import candidates, default, sizes, votes
from epf.evaluation.profile.halving import Rung, compare, halve
from epf.evaluation.profile.trials import Candidate, Trials
from epf.evaluation.report.statistics import Interval
from epf.evaluation.slope_by_depth import DepthSlopes, Solution, slope_by_depth

N_PARTICLES = 8
N_SAMPLES = 16
SAMPLES_PER_SEARCH = 8
"""Independent samples that cost as much as one search."""

MIN_PROBLEMS = 30
MIN_SAMPLED = 10
MIN_SIZED = 10
"""With fewer problems numbers of particles are not compared."""

FEW_SEARCHES = 500
"""Fewer searches confirm large gains only."""

SHARE = {"sample": 0.15, "halve": 0.4, "vote": 0.1, "confirm": 0.25, "size": 0.1}
"""Parts of all searches."""

NOTICEABLE = 0.03
"""A loss of this share of right answers, 3 points, matters."""


@dataclass(frozen=True, slots=True)
class Tuned:
    """What was learned.

    Attributes:
        slopes: slopes by depth.
        chosen: how to search; the default if nothing is better.
        tried: names of the same search at all sizes that were tried.
        findings: what was found and why, one sentence each.
    """

    slopes: DepthSlopes
    chosen: Candidate
    tried: tuple[str, ...]
    findings: tuple[str, ...]


async def tune(trials: Trials, n_searches: int, note: Callable[[str], None] = lambda finding: None) -> Tuned:
    """Learn with about ``n_searches`` searches of :data:`N_PARTICLES` particles; ``note`` receives each finding at once.

    Raises:
        InvalidRequest: there are too few problems, or none has both right and wrong solutions.
    """
    if trials.n_problems < MIN_PROBLEMS:
        message = f"A profile needs at least {MIN_PROBLEMS} problems with answers, got {trials.n_problems}: add some."
        raise InvalidRequest(message, param="dataset")
    problems = range(trials.n_problems)
    learning, held_out = problems[: 2 * len(problems) // 3], problems[2 * len(problems) // 3 :]
    searches = {stage: int(share * n_searches) for stage, share in SHARE.items()}
    findings: list[str] = []

    def found(finding: str) -> None:
        findings.append(finding)
        note(finding)

    n_sampled = min(len(learning), max(MIN_SAMPLED, searches["sample"] * SAMPLES_PER_SEARCH // N_SAMPLES))
    solutions = await trials.sample(learning[:n_sampled], N_SAMPLES)
    slopes = slope_by_depth(solutions)
    if slopes is None:
        message = "No problem has both right and wrong solutions, so there is nothing to learn: take problems of which a sample"
        raise InvalidRequest(f"{message} solves some.", param="dataset")
    found(_sampled(solutions))
    found(str(slopes))

    base = default(N_PARTICLES)
    challengers = candidates(slopes.slopes, _typical_length(solutions), N_PARTICLES)
    best, rung = await halve(trials, base, challengers, learning, searches["halve"])
    found(_halved(best, base, len(challengers), rung))
    surely = best != base and rung.gains[best.name].verdict == "better"
    vote = await compare(trials, best, votes(best), learning, searches["vote"] // len(votes(best)))
    gains = [vote.gains[other.name] for other in votes(best)]
    if any(gain.verdict == "better" for gain in gains):
        top = max(range(len(gains)), key=lambda i: gains[i].mean)
        best = votes(best if surely else base)[top]  # what may be ahead by chance is not taken along
        found(f"On {vote.n_problems} problems another vote gains {_points(gains[top])} points: {best.name}.")

    chosen = base
    if best != base:
        confirmed = await compare(trials, base, [best], held_out, searches["confirm"] // 2)
        gain = confirmed.gains[best.name]
        chosen = best if gain.verdict == "better" else base
        found(_confirmed(best, confirmed.n_problems, gain))
    half, double = sizes(chosen)
    each = searches["size"] * 2 // 5
    if each < MIN_SIZED:
        found(f"There are too few searches to compare numbers of particles: N = {chosen.n_particles}.")
        return Tuned(slopes, chosen, (chosen.name,), tuple(findings))
    rung = await compare(trials, chosen, [half, double], held_out, each)
    sized = chosen
    if rung.gains[double.name].verdict == "better":
        sized = double
    elif rung.gains[half.name].low > -NOTICEABLE:
        sized = half
    found(_sized(chosen, sized, half, double, rung))
    return Tuned(slopes, sized, (chosen.name, half.name, double.name), tuple(findings))


def _typical_length(solutions: Sequence[Sequence[Solution]]) -> int:
    return max(1, int(np.median([len(scores) for each in solutions for _, scores in each])))


def _points(gain: Interval) -> str:
    return f"{100 * gain.mean:+.1f} ({100 * gain.low:+.1f} to {100 * gain.high:+.1f})"


def _sampled(solutions: Sequence[Sequence[Solution]]) -> str:
    there = [[right for right, _ in each] for each in solutions if each]
    one, any_right = np.mean([np.mean(each) for each in there]), np.mean([any(each) for each in there])
    return (
        f"Of {N_SAMPLES} independent solutions of {len(there)} problems {100 * one:.0f} % are right, and for "
        f"{100 * any_right:.0f} % of the problems at least one is."
    )


def _halved(best: Candidate, base: Candidate, n: int, rung: Rung) -> str:
    if best == base:
        return f"None of {n} other ways to search is ahead of the default on {rung.n_problems} problems."
    gain = _points(rung.gains[best.name])
    return f"The best of {n} other ways to search is: {best.name}. On {rung.n_problems} problems it gains {gain} points."


def _confirmed(best: Candidate, n: int, gain: Interval) -> str:
    end = "the profile takes it" if gain.verdict == "better" else "which confirms nothing, and the default stays"
    return f"On {n} problems that did not choose it, {best.name} gains {_points(gain)} points over the default: {end}."


def _sized(chosen: Candidate, sized: Candidate, half: Candidate, double: Candidate, rung: Rung) -> str:
    more, less = _points(rung.gains[double.name]), _points(rung.gains[half.name])
    return (
        f"On {rung.n_problems} problems N = {double.n_particles} gains {more} points over N = {chosen.n_particles}, and "
        f"N = {half.n_particles} {less}: N = {sized.n_particles}."
    )
