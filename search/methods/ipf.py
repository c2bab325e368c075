r"""Intrinsic particle filtering: particles are weighed by how sure the language model is of them; no reward model.

After arXiv 2606.08850, of which only a summary was available to us. According to the summary, w_t is proportional to w_(t-1)
exp(-H[z_t]) for the entropy H of step z_t, with entropies z-scored before the softmax. Theirs and not here: the gate by tail
entropy that decides how much is spent on a problem.

Our reading: H is the mean entropy per token of the step, estimated from its sampled tokens (:mod:`epf.search.smc.intrinsic`),
so that no step pays for its length; z-scores are taken over the particles that wrote a step in this round, and a finished
particle keeps its weight; log weights accumulate and resampling waits for a low ESS, as under ``incremental`` weighting.

Target without ``entropy_zscore``: p(x) prod_t m_t, with m_t the geometric mean of the probabilities at temperature 1 of the
tokens of step t. That potential is fixed, so the filter is exact, and ``log_evidence`` is as for ``incremental``; every step
more costs, so short solutions are favoured. With ``entropy_zscore``, the default, a weight depends on the other particles of
the round: there is no fixed target, and ``log_evidence`` estimates nothing.
"""

from collections.abc import Sequence

import numpy as np

from epf.core.errors import InvalidRequest
from epf.core.generator import abilities_of
from epf.search.engine.search_run import SearchRun
from epf.search.engine.trajectory import Outcome, Trajectory
from epf.search.methods.filtering import Potential, run_filter
from epf.search.methods.method import ANNEALING, RESAMPLING, Method
from epf.search.smc.intrinsic import log_potentials, step_entropy
from epf.search.smc.weights import FloatArray


class EntropyPotential(Potential):
    """Weighs steps by the entropies of the language model, and scores none."""

    async def propagate(
        self, trajectory: Trajectory, t: int, slot: int, /, *, allowance: int, lookahead: bool = False
    ) -> Trajectory:
        """Sample a step. Raises ``InvalidRequest`` if it has no log probabilities, which no generator announces before."""
        longer = await self.run.sample_step(trajectory, t, slot, allowance=allowance, lookahead=lookahead)
        self.run.begin_next(trajectory, longer, t, slot, lookahead=lookahead)
        wrote = len(longer.steps) > len(trajectory.steps) and bool(longer.steps[-1].token_ids)
        if wrote and not longer.steps[-1].log_probs and abilities_of(self.run.generator).log_probs is not True:
            message = "method 'ipf' weighs by log probabilities, and this generator returns none: choose another method"
            raise InvalidRequest(message, param="method")
        return longer

    def logits(self, before: Sequence[Trajectory], after: Sequence[Trajectory], previous: FloatArray) -> FloatArray:
        """The sum of the log potentials of all steps so far, ``(m,)``."""
        wrote = np.array([_wrote(*pair) for pair in zip(before, after, strict=True)])
        entropies = [step_entropy(t.steps[-1].log_probs) if new else 0.0 for t, new in zip(after, wrote, strict=True)]
        return previous + log_potentials(np.array(entropies), wrote, self.run.options.entropy_zscore)


async def run_ipf(run: SearchRun) -> Outcome:
    """Filter by entropies."""
    return await run_filter(run, EntropyPotential(run))


def _wrote(before: Trajectory, after: Trajectory) -> bool:
    """Whether a particle wrote a step in this round whose log probabilities are known."""
    return len(after.steps) > len(before.steps) and bool(after.steps[-1].log_probs)


IPF = Method(
    "ipf",
    "intrinsic particle filtering: weighs by the language model's own certainty, no reward model",
    run_ipf,
    own=ANNEALING | RESAMPLING | {"entropy_zscore"},
    fixed={"weighting": "incremental", "lookahead": "none"},
    needs_reward_model=False,
    needs_log_probs=True,
)
