"""Best of n: independent solutions, each judged when whole; the best one wins or, weighted, answers vote by odds.

Choosing the best of n by a process reward model is Lightman et al.'s (arXiv 2305.20050); adding up the scores of equal answers
is the weighted best-of-n of Snell et al. (arXiv 2408.03314) and search-and-learn, which add up probabilities. Ours is to vote
by odds, as the filters here do.
"""

from dataclasses import replace

import numpy as np

from epf.search.engine.search_run import Outcome, Run
from epf.search.engine.trajectory import Chain
from epf.search.methods.aggregation import aggregated
from epf.search.methods.method import UNFILTERED, Method
from epf.search.methods.sampling import sample_chains
from epf.search.smc.weights import log_mean, logit


async def run_best_of_n(run: Run) -> Outcome:
    """Weight: odds of the whole solution's score; a chain without one has none. Target: p(x) odds(x).

    With ``aggregation`` ``last`` the reward model is asked once for a solution, otherwise once after each of its steps, in
    their order, so that an engine's prefix cache computes no token twice.
    """
    aggregation = run.options.aggregation

    async def judged(chain: Chain, slot: int) -> Chain:
        first = len(chain.steps) if aggregation == "last" else 1
        for t in range(first, len(chain.steps) + 1):
            prefix = await run.judge(chain, replace(chain, steps=chain.steps[:t]), t, slot)
            if prefix.status == "stuck":
                return replace(prefix, scores=())
            chain = replace(chain, scores=prefix.scores)
        return chain

    chains, cut = await sample_chains(run, judged)
    log_weights = np.array([float(logit(aggregated(chain, aggregation))) if chain.scores else -np.inf for chain in chains])
    return Outcome(tuple(chains), log_weights, log_mean(log_weights), cut=cut)


BEST_OF_N = Method(
    "best_of_n",
    "independent solutions, the best one by the reward model",
    run_best_of_n,
    own=frozenset({"aggregation"}),
    fixed={"answer_selection": "argmax", **UNFILTERED},
    resamples=False,
)
WEIGHTED_BEST_OF_N = Method(
    "weighted_best_of_n",
    "independent solutions, answers vote by the reward model's odds",
    run_best_of_n,
    own=frozenset({"aggregation"}),
    fixed={"answer_selection": "weighted_vote", **UNFILTERED},
    resamples=False,
)
