"""The ways to search that the tuner compares: how scores count by depth, whether to anneal, and whether to look ahead.

Each is worth trying in some world (``docs/choosing.md``): sharp scores want to be exploited (odds in full, no annealing), noisy
early scores to be muted (slopes by depth), over-confident ones that all particles share to be judged once (``incremental``).
A look-ahead samples about a third more tokens per particle, so it gets three quarters of the particles.
"""

from collections.abc import Sequence
from typing import Any

from epf.evaluation.profile.trials import Candidate
from epf.search.options import MAX_SLOPE

ONCE: dict[str, Any] = {
    "weighting": "incremental",
    "annealing": "none",
    "resample_finished": False,
    "answer_selection": "probability_vote",
}
"""Options with which ``epf`` does what ``pf_once`` does."""

AHEAD = 0.75
VOTES = ("weighted_vote", "argmax")
"""Other ways to select the answer; by default the probabilities of equal answers are added up."""


def default(n_particles: int) -> Candidate:
    """``epf`` as it is without a profile."""
    return Candidate("the default", n_particles)


def candidates(slopes: Sequence[float], horizon: int, n_particles: int) -> tuple[Candidate, ...]:
    """All but the default, simplest first.

    Args:
        slopes: slopes by depth, ``(depths,)``.
        horizon: typical number of steps of a solution, the T of annealing.
        n_particles: number of particles.
    """
    fewer = max(1, round(AHEAD * n_particles))
    plain, full = {"annealing": "none"}, {"odds_power": 1.0}
    by_depth = {"slopes": [min(round(slope, 2), MAX_SLOPE) for slope in slopes]}
    annealed = {"horizon": horizon}
    ahead = {"lookahead": "reuse"}
    options: tuple[tuple[str, int, dict[str, Any]], ...] = (
        ("no annealing", n_particles, plain),
        ("odds in full, no annealing", n_particles, {**full, **plain}),
        ("odds in full, annealed", n_particles, {**full, **annealed}),
        ("slopes by depth", n_particles, {**full, **by_depth, **plain}),
        ("half the slopes by depth", n_particles, {**by_depth, **plain}),
        ("slopes by depth, annealed", n_particles, {**full, **by_depth, **annealed}),
        ("slopes by depth, evidence judged once", n_particles, {**full, **by_depth, **ONCE}),
        ("look-ahead", fewer, ahead),
        ("odds in full, annealed, look-ahead", fewer, {**full, **annealed, **ahead}),
        ("slopes by depth, look-ahead", fewer, {**full, **by_depth, **plain, **ahead}),
    )
    return tuple(Candidate(*each) for each in options)


def votes(chosen: Candidate) -> tuple[Candidate, ...]:
    """The same search with other ways to select the answer."""
    return tuple(
        Candidate(f"{chosen.name}, {vote.replace('_', ' ')}", chosen.n_particles, {**chosen.options, "answer_selection": vote})
        for vote in VOTES
    )


def sizes(chosen: Candidate) -> tuple[Candidate, Candidate]:
    """The same search with half and with twice the particles."""
    half, double = max(1, chosen.n_particles // 2), 2 * chosen.n_particles
    return Candidate(f"{chosen.name}, N = {half}", half, chosen.options), Candidate(
        f"{chosen.name}, N = {double}", double, chosen.options
    )
