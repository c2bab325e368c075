"""Best of n: independent solutions, each judged once when whole; the best one wins or, weighted, answers vote by odds."""

import numpy as np

from search.engine.chain import Chain
from search.engine.run import Outcome, Run
from search.methods.method import Method
from search.methods.sampled import NO_SEARCH, sample_chains
from search.smc.weights import log_mean, logit


async def run_best_of_n(run: Run) -> Outcome:
    """Weight: odds of the whole solution's score; a chain without one has none. Target: p(x) odds(x)."""

    async def judged(chain: Chain, slot: int) -> Chain:
        return await run.judge(chain, chain, len(chain.steps), slot)

    chains, cut = await sample_chains(run, judged)
    log_weights = np.array([float(logit(chain.scores[-1])) if chain.scores else -np.inf for chain in chains])
    return Outcome(tuple(chains), log_weights, log_mean(log_weights), cut=cut)


BEST_OF_N = Method(
    "best_of_n",
    "independent solutions, the best one by the reward model",
    run_best_of_n,
    fixed={"answer_selection": "argmax", **NO_SEARCH},
    resamples=False,
)
WEIGHTED_BEST_OF_N = Method(
    "weighted_best_of_n",
    "independent solutions, answers vote by the reward model's odds",
    run_best_of_n,
    fixed={"answer_selection": "weighted_vote", **NO_SEARCH},
    resamples=False,
)
