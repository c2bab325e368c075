"""Entropic particle filtering: resampling that is annealed while the weights are uneven and the search is young.

In each round every particle samples a step from the language model, and the reward model scores the prefix. With odds_t of that
score, the filter (:mod:`epf.search.methods.filtering`)

1. weighs particle i by w_i = odds_t^odds_power (with ``slopes`` b by depth odds_t^(odds_power b_t)),
2. sets the temperature to max(1, (N / ESS)(1 - t / T)) while ESS < N/2 and t < T/2, else to 1
   (:func:`epf.search.smc.annealing.by_ess`),
3. draws ancestors systematically from softmax(log w / temperature).

Annealing is the ePF paper's (arXiv 2510.05825). The power of the odds and the vote are ours. A score is about the whole prefix,
so the product of the odds of all steps, the target of ``current`` weighting, counts the opinion of the first step once more at
every step; with ``odds_power`` 0.5 each score counts for half. And a particle votes with its probability to be right instead of
its odds, by which it has been drawn already. ``epf_published`` has neither.
"""

from epf.search.engine.search_run import SearchRun
from epf.search.engine.trajectory import Outcome
from epf.search.methods.filtering import Potential, run_filter
from epf.search.methods.method import ANNEALING, LOOK_AHEAD, RESAMPLING, Method
from epf.search.methods.waves import run_waves
from epf.search.options import AnswerSelection, SearchOptions


async def run_epf(run: SearchRun) -> Outcome:
    """Filter by the reward model's scores, all particles together or in waves."""
    potential = Potential(run)
    return await (run_filter(run, potential) if run.options.waves == 1 else run_waves(run, potential))


def votes(options: SearchOptions) -> AnswerSelection:
    """Vote by probability if every round has drawn the particles by weight, else by weight."""
    return "probability_vote" if options.weighting == "current" else "weighted_vote"


EPF = Method(
    "epf",
    "entropic particle filtering: annealed resampling, optional look-ahead",
    run_epf,
    own=ANNEALING | RESAMPLING | LOOK_AHEAD | {"odds_power", "slopes", "waves", "certainty", "score_below_logprob"},
    votes=votes,
)
