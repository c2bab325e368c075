"""Particle filtering that judges each piece of evidence once.

A score is about the whole prefix. Filters that draw by the newest score at every step count the first step's evidence once
more at each later one, so that a misjudged plan is paid for at every step that follows it. Here a particle is weighed by what
its newest score *changes* (``incremental`` weighting), weights accumulate, and particles are drawn only when the effective
sample size falls below ``ess_threshold`` times their number. So every piece of evidence counts once, at the strength
``odds_power``. The right strength is the slope of "ends right" on the log odds within a problem: 1 for a calibrated reward
model, less for an over-confident one. Where it differs from depth to depth, ``slopes`` has one factor for each.

Target: p(x) odds(x)^odds_power over whole solutions x, whenever particles are drawn (:mod:`epf.search.smc.filter`). Finished
particles stay where they are, so that none is dropped and none is copied.

Ours: the answer does not come from the weights. All finished particles vote with the probability that their last score states,
which is the expected number of right particles per answer, because a search wants the best solution rather than a sample of
the target. Where early scores mislead, this doubles what plain filtering solves; where every step decides anew and scores are
sharp, it is much worse (``docs/choosing.md``).
"""

from epf.search.methods.epf import run_epf
from epf.search.methods.method import Method
from epf.search.options import AnswerSelection, SearchOptions


def votes(_options: SearchOptions) -> AnswerSelection:
    """Vote by probability, all finished particles alike."""
    return "probability_vote"


PF_ONCE = Method(
    "pf_once",
    "particle filtering that judges each piece of evidence once, for reward models that misjudge early steps",
    run_epf,
    own=frozenset({"ess_threshold", "resampling", "odds_power", "slopes", "straggler_quantile"}),
    fixed={"weighting": "incremental", "annealing": "none", "lookahead": "none", "resample_finished": False},
    votes=votes,
)
