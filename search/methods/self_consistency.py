"""Self-consistency (arXiv 2203.11171): independent solutions, the most frequent answer wins; no reward model."""

import numpy as np

from epf.search.engine.search_run import SearchRun
from epf.search.engine.trajectory import Outcome
from epf.search.methods.method import UNFILTERED, Method
from epf.search.methods.sampling import sample_solutions


async def run_self_consistency(run: SearchRun, *, shown: bool = False) -> Outcome:
    """Equal weights; a particle that died has none. The evidence of a constant potential is 1.

    With ``shown``, texts are emitted while they are sampled.
    """
    trajectories, cut = await sample_solutions(run, shown=shown)
    log_weights = np.array([-np.inf if trajectory.status == "dead" else 0.0 for trajectory in trajectories])
    return Outcome(tuple(trajectories), log_weights, 0.0, cut=cut)


SELF_CONSISTENCY = Method(
    "self_consistency",
    "independent solutions, majority vote, no reward model",
    run_self_consistency,
    fixed={"answer_selection": "majority", **UNFILTERED},
    needs_reward_model=False,
    resamples=False,
    by_steps=False,
)
