"""Best of n: independent solutions, each scored when it is whole; the best one wins or, weighted, answers vote by odds.

Choosing the best of n by a process reward model is Lightman et al.'s (arXiv 2305.20050). Adding up the scores of equal answers
is the weighted best-of-n of Snell et al. (arXiv 2408.03314) and search-and-learn, which add up probabilities. Ours is to vote
by odds, as the filters here do.
"""

from dataclasses import replace

import numpy as np

from epf.search.engine.search_run import SearchRun
from epf.search.engine.trajectory import Outcome, Trajectory
from epf.search.methods.aggregation import aggregated
from epf.search.methods.method import UNFILTERED, Method
from epf.search.methods.sampling import sample_solutions
from epf.search.smc.weights import log_mean, logit


async def run_best_of_n(run: SearchRun) -> Outcome:
    """Weight: odds of the whole solution's score; a trajectory without a score has none. Target: p(x) odds(x).

    With ``aggregation`` ``last`` the reward model scores a solution once, otherwise once after each of its steps, in their
    order, so that an engine's prefix cache computes no token twice.
    """
    aggregation = run.options.aggregation

    async def score(trajectory: Trajectory, slot: int) -> Trajectory:
        first = len(trajectory.steps) if aggregation == "last" else 1
        for t in range(first, len(trajectory.steps) + 1):
            prefix = await run.score(trajectory, replace(trajectory, steps=trajectory.steps[:t]), t, slot)
            if prefix.status == "context_full":
                return replace(prefix, scores=())
            trajectory = replace(trajectory, scores=prefix.scores)
        return trajectory

    trajectories, cut = await sample_solutions(run, score)
    log_weights = np.array([float(logit(aggregated(t, aggregation))) if t.scores else -np.inf for t in trajectories])
    return Outcome(tuple(trajectories), log_weights, log_mean(log_weights), cut=cut)


BEST_OF_N = Method(
    "best_of_n",
    "independent solutions, the best one by the reward model",
    run_best_of_n,
    own=frozenset({"aggregation"}),
    fixed={"answer_selection": "argmax", **UNFILTERED},
    resamples=False,
    by_steps=False,
)
WEIGHTED_BEST_OF_N = Method(
    "weighted_best_of_n",
    "independent solutions, answers vote by the reward model's odds",
    run_best_of_n,
    own=frozenset({"aggregation"}),
    fixed={"answer_selection": "weighted_vote", **UNFILTERED},
    resamples=False,
    by_steps=False,
)
