r"""Particle Gibbs: sweeps of the filter, each conditioned on a trajectory that the sweep before it chose.

Andrieu, Doucet & Holenstein (2010): conditional SMC keeps one particle, the reference, on a given trajectory. The other
particles start afresh and may continue prefixes of the reference, and the reference of the next sweep is drawn from all
particles by weight. Rollout Roulette (arXiv 2502.01618) runs it over language model steps.

Target: p(x) odds(x), as with ``incremental`` weighting in :mod:`epf.search.smc.filter`, over whole solutions x, an end at
``max_steps`` included. Each sweep leaves it invariant, for any number of particles. That also holds where resampling waits for
a low ESS and where it is annealed: both are decided by the set of weights, in which the reference is one like any other.

No ancestor sampling (Lindsten, Jordan & Schoen 2014). It would give the rest of the reference a new prefix with probability
proportional to the chance that the model writes that rest after that prefix. Steps are drawn at ``temperature`` and ``top_p``,
and no generator reports such chances of a given text: what engines report of a prompt's tokens is at temperature 1, and the
normaliser over the vocabulary, which differs at every token, stands between the two. The restriction to ancestors with the
reference's own prefix needs no such chance and is exact too, but exchanges equal prefixes: no trajectory changes. Without
ancestor sampling the first steps of the reference seldom change where resampling is frequent, and only as another particle is
chosen.

Ours: ``n_particles`` counts the particles drawn in all sweeps together, so that the cost is that of other methods with this
number. Sweeps share them equally; from the second sweep on, each also has the reference, which costs nothing. All particles of
all sweeps vote, and every sweep has the same total vote. This is the average over the Markov chain of the sweeps' own
estimates, all of which were paid for, while the last state alone would be one draw. The first sweep, plain SMC, is biased by
O(1/m) with m particles, as any filter's vote is. ``log_evidence`` is the first sweep's; its exponential is unbiased.
"""

import numpy as np

from epf.search.engine.search_run import SearchRun
from epf.search.engine.trajectory import Outcome, Trajectory
from epf.search.methods.filtering import Potential, Sweep, run_filter
from epf.search.methods.method import ANNEALING, RESAMPLING, Method
from epf.search.result import StepRecord, StopReason
from epf.search.smc.weights import log_normalised, multinomial, normalise


async def run_particle_gibbs(run: SearchRun) -> Outcome:
    """Sweep until every particle is drawn, or until time or budget is spent. A sweep in which all die has no reference."""
    n = run.options.n_particles
    potential = Potential(run)
    trajectories: list[Trajectory] = []
    votes = np.full(n, -np.inf)
    records: list[StepRecord] = []
    log_evidence = -np.inf
    reference: int | None = None
    cut: StopReason | None = None
    for fresh in np.array_split(np.arange(n), min(run.options.iterations, n)):
        first = int(fresh[0])
        slots = tuple(fresh.tolist()) if reference is None else (*fresh.tolist(), reference)
        retraced = None if reference is None else trajectories[reference]
        outcome = await run_filter(run, potential, Sweep(slots, retraced, tuple(trajectories), tuple(votes[:first])))
        trajectories += outcome.trajectories[: fresh.size]
        votes[list(slots)] = np.logaddexp(votes[list(slots)], log_normalised(outcome.log_weights))
        records += outcome.records
        log_evidence = outcome.log_evidence if first == 0 else log_evidence
        cut = outcome.cut or cut
        if outcome.cut in ("deadline", "budget", "model_failed"):
            break
        weights = normalise(outcome.log_weights)
        if weights.any():
            drawn = slots[multinomial(weights, 1, run.rng("reference", 0, first))[0]]
            reference = None if trajectories[drawn].status == "context_full" else drawn
    return Outcome(tuple(trajectories), votes[: len(trajectories)], log_evidence, tuple(records), cut)


PARTICLE_GIBBS = Method(
    "particle_gibbs",
    "particle Gibbs: sweeps of the filter, each conditioned on a trajectory that the previous one chose",
    run_particle_gibbs,
    own=ANNEALING | RESAMPLING | {"iterations"},
    fixed={
        "weighting": "incremental",
        "resampling": "multinomial",
        "lookahead": "none",
        "straggler_quantile": None,
        "odds_power": 1.0,
    },
)
