r"""Intrinsic particle filtering: particles are weighed by how sure the language model is of them; no reward model.

After arXiv 2606.08850, of which only a summary was available to us. Theirs, as far as it tells: w_t proportional to w_(t-1)
exp(-H[z_t]) for the entropy H of step z_t, entropies z-scored before the softmax. Theirs and not here: the gate by tail entropy
that decides how much is spent on a problem.

Our reading: H is the mean entropy per token of the step, estimated from its sampled tokens (:mod:`epf.search.smc.intrinsic`),
so that no step pays for its length; z-scores are taken over the particles that wrote a step in this round, and a finished
particle keeps its weight; log weights accumulate and resampling waits for a low ESS, as under ``incremental`` weighting.

Target without ``entropy_zscore``: p(x) prod_t m_t, with m_t the geometric mean of the probabilities at temperature 1 of the
tokens of step t. That potential is fixed, so the filter is exact, and ``log_evidence`` is as for ``incremental``; every further
step costs, so short solutions are favoured. With ``entropy_zscore``, the default, a weight depends on who else is in the round:
there is no fixed target, and ``log_evidence`` estimates nothing.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from epf.core.errors import InvalidRequest
from epf.search.engine.search_run import Outcome, Run
from epf.search.engine.trajectory import Chain
from epf.search.methods.epf import Group, run_filter
from epf.search.methods.method import ANNEALING, Method
from epf.search.smc.intrinsic import log_potentials, step_entropy
from epf.search.smc.weights import FloatArray


async def run_ipf(run: Run) -> Outcome:
    """Filter by entropies. Raises ``InvalidRequest`` at the first step without log probabilities: no generator tells before."""

    async def extend(chain: Chain, t: int, slot: int, **options: Any) -> Chain:
        longer = await run.draw(chain, t, slot, **options)
        if _wrote(chain, longer) and not longer.steps[-1].log_probs:
            message = "method 'ipf' weighs by log probabilities, and this generator gives none: take another method"
            raise InvalidRequest(message, param="method")
        return longer

    def potential(previous: FloatArray, before: Sequence[Chain], after: Sequence[Chain]) -> FloatArray:
        moved = np.array([_wrote(chain, longer) for chain, longer in zip(before, after, strict=True)])
        entropies = [step_entropy(c.steps[-1].log_probs) if m else 0.0 for c, m in zip(after, moved, strict=True)]
        return previous + log_potentials(np.array(entropies), moved, run.options.entropy_zscore)

    return await run_filter(run, Group(tuple(range(run.options.n_particles)), extend=extend, potential=potential))


def _wrote(before: Chain, after: Chain) -> bool:
    return len(after.steps) > len(before.steps) and bool(after.steps[-1].token_ids)


IPF = Method(
    "ipf",
    "intrinsic particle filtering: weighs by the language model's own certainty, no reward model",
    run_ipf,
    own=ANNEALING | {"resampling", "resample_finished", "entropy_zscore", "straggler_quantile"},
    fixed={"weighting": "incremental", "lookahead": "none"},
    needs_reward_model=False,
)
