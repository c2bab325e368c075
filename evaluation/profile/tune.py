"""Learns a profile: what the scores are worth by depth, then the options that help, confirmed on problems that chose nothing.

1. **Sample.** Independent solutions of some problems give the slopes by depth and the length of a solution.
2. **Choose.** Successive halving over the candidates, then over ways to vote, on two thirds of the problems.
3. **Confirm.** The chosen candidate replaces the default only if it is better on the last third, beyond a 95 % interval.
4. **Size.** Twice the particles if they are better beyond an interval, half of them if they are at most
   :data:`NOTICEABLE` worse within one.

``docs/decisions/profiles.md`` has the reasons.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from epf.core.errors import InvalidRequest
from epf.evaluation.profile import findings
from epf.evaluation.profile.candidates import candidates, default, sizes, votes
from epf.evaluation.profile.halving import compare, halve
from epf.evaluation.profile.trials import Candidate, Trials
from epf.evaluation.slope_by_depth import DepthSlopes, slope_by_depth

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


@dataclass(frozen=True, slots=True)
class Study:
    """Trials, and how they are used.

    Attributes:
        learning: problems on which is chosen.
        held_out: problems on which is confirmed.
        searches: number of searches of each stage of :data:`SHARE`.
        found: receives each finding.
    """

    trials: Trials
    learning: range
    held_out: range
    searches: Mapping[str, int]
    found: Callable[[str], None]

    async def sample(self) -> tuple[DepthSlopes, int]:
        """Slopes by depth, and the typical number of steps of a solution."""
        n = max(MIN_SAMPLED, self.searches["sample"] * SAMPLES_PER_SEARCH // N_SAMPLES)
        solutions = await self.trials.sample(self.learning[:n], N_SAMPLES)
        slopes = slope_by_depth(solutions)
        if slopes is None:
            message = "No problem has both right and wrong solutions, so there is nothing to learn: take problems of which"
            raise InvalidRequest(f"{message} a sample solves some.", param="dataset")
        self.found(findings.sampled(solutions))
        self.found(str(slopes))
        return slopes, max(1, int(np.median([len(scores) for each in solutions for _, scores in each])))

    async def choose(self, base: Candidate, others: Sequence[Candidate]) -> Candidate:
        """The best candidate, with the best vote; what may be ahead by chance alone does not come along with a vote."""
        best, rung = await halve(self.trials, base, others, self.learning, self.searches["halve"])
        self.found(findings.halved(best, base, len(others), rung))
        surely = best != base and rung.gains[best.name].verdict == "better"
        alternatives = votes(best)
        rung = await compare(self.trials, best, alternatives, self.learning, self.searches["vote"] // len(alternatives))
        gains = [rung.gains[other.name] for other in alternatives]
        top = max(range(len(gains)), key=lambda i: gains[i].mean)
        if gains[top].verdict != "better":
            return best
        best = votes(best if surely else base)[top]
        self.found(findings.voted(best, gains[top], rung.n_problems))
        return best

    async def confirm(self, base: Candidate, best: Candidate) -> Candidate:
        """``best`` if it is better on problems that did not choose it, else ``base``."""
        if best == base:
            return base
        rung = await compare(self.trials, base, [best], self.held_out, self.searches["confirm"] // 2)
        gain = rung.gains[best.name]
        self.found(findings.confirmed(best, rung.n_problems, gain))
        return best if gain.verdict == "better" else base

    async def size(self, chosen: Candidate) -> tuple[Candidate, tuple[str, ...]]:
        """The candidate with the number of particles that is worth its tokens, and the names of all sizes that were tried."""
        half, double = sizes(chosen)
        each = self.searches["size"] * 2 // 5
        if each < MIN_SIZED:
            self.found(f"There are too few searches to compare numbers of particles: N = {chosen.n_particles}.")
            return chosen, (chosen.name,)
        rung = await compare(self.trials, chosen, [half, double], self.held_out, each)
        sized = chosen
        if rung.gains[double.name].verdict == "better":
            sized = double
        elif rung.gains[half.name].low > -NOTICEABLE:
            sized = half
        self.found(findings.sized(chosen, sized, half, double, rung))
        return sized, (chosen.name, half.name, double.name)


async def tune(trials: Trials, n_searches: int, note: Callable[[str], None] = lambda finding: None) -> Tuned:
    """Learn with about ``n_searches`` searches of :data:`N_PARTICLES` particles; ``note`` receives each finding at once.

    Raises:
        InvalidRequest: there are too few problems, or none has both right and wrong solutions.
    """
    if trials.n_problems < MIN_PROBLEMS:
        message = f"A profile needs at least {MIN_PROBLEMS} problems with answers, got {trials.n_problems}: add some."
        raise InvalidRequest(message, param="dataset")
    notes: list[str] = []

    def found(finding: str) -> None:
        notes.append(finding)
        note(finding)

    problems = range(trials.n_problems)
    n_learning = 2 * len(problems) // 3
    searches = {stage: int(share * n_searches) for stage, share in SHARE.items()}
    study = Study(trials, problems[:n_learning], problems[n_learning:], searches, found)
    slopes, length = await study.sample()
    base = default(N_PARTICLES)
    best = await study.choose(base, candidates(slopes.slopes, length, N_PARTICLES))
    chosen, tried = await study.size(await study.confirm(base, best))
    return Tuned(slopes, chosen, tried, tuple(notes))
