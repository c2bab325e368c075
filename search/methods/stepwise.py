"""Searches over steps in which a rule says who goes on: what beam search and DVTS share.

Every round all running particles draw a step and have it judged, as in a filter. Then the rule names, for each slot, the
particle that it continues. Nothing is drawn at random but the steps.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from epf.search.engine.search_run import Outcome, Run
from epf.search.engine.select_answer import best_so_far
from epf.search.engine.trajectory import Chain
from epf.search.events import Resampled
from epf.search.methods.aggregation import aggregated
from epf.search.methods.epf import out_of_it, propagate
from epf.search.result import StepRecord
from epf.search.smc.weights import FloatArray, entropy, ess, logit

Rule = Callable[[Sequence[Chain], FloatArray, int], list[int]]
"""``(chains (n,), log_weights (n,), beam_width)`` to the particle that each slot continues, ``(n,)``."""


async def run_stepwise(run: Run, rule: Rule) -> Outcome:
    """Rounds until no particle is running, or until a limit cuts them short; then whoever has finished votes.

    Weight: odds of the aggregated score. There is no target, so no evidence either (NaN).
    """
    options = run.options
    n = options.n_particles
    chains = [Chain()] * n
    nothing_kept: list[Chain | None] = [None] * n
    records: list[StepRecord] = []
    for t in range(1, options.max_steps + 1):
        chains, _, cut = await propagate(run, chains, nothing_kept, t)
        log_weights = _weights(run, chains)
        if cut is not None:
            return Outcome(tuple(chains), log_weights, math.nan, tuple(records), cut)

        with run.ledger.doing("resampling"):
            slots = list(range(n))
            ancestors = slots if t == options.max_steps else rule(chains, log_weights, options.beam_width)
            pruned = ancestors != slots
            records.append(StepRecord(t, ess(log_weights), entropy(log_weights), 1.0, pruned, len(set(ancestors))))
            if pruned:
                chains = [replace(chains[a], lineage=(*chains[a].lineage, a)) for a in ancestors]
                log_weights = log_weights[ancestors]
            n_finished = sum(chain.status == "finished" for chain in chains)
            answer = best_so_far(chains, log_weights, options)
        run.emit(Resampled(records[-1], tuple(ancestors), n_finished, answer))
        if not any(chain.status == "running" for chain in chains):
            return Outcome(tuple(chains), log_weights, math.nan, tuple(records))
    return Outcome(tuple(chains), log_weights, math.nan, tuple(records), "max_steps")


def _weights(run: Run, chains: Sequence[Chain]) -> FloatArray:
    """Log odds ``(n,)``; -inf of a particle that is out of it."""
    log_odds = logit([aggregated(chain, run.options.aggregation) for chain in chains])
    return np.where(out_of_it(chains), -np.inf, log_odds)
