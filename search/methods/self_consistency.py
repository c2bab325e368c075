"""Self-consistency (arXiv 2203.11171): independent solutions, the most frequent answer wins; no reward model."""

import numpy as np

from epf.search.engine.search_run import Outcome, Run
from epf.search.methods.method import UNFILTERED, Method
from epf.search.methods.sampling import sample_chains


async def run_self_consistency(run: Run) -> Outcome:
    """Equal weights; a chain that died has none. The evidence of a constant potential is 1."""
    chains, cut = await sample_chains(run)
    log_weights = np.array([-np.inf if chain.status == "dead" else 0.0 for chain in chains])
    return Outcome(tuple(chains), log_weights, 0.0, cut=cut)


SELF_CONSISTENCY = Method(
    "self_consistency",
    "independent solutions, majority vote, no reward model",
    run_self_consistency,
    fixed={"answer_selection": "majority", **UNFILTERED},
    needs_reward_model=False,
    resamples=False,
)
