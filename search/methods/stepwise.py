"""Searches over steps in which a rule chooses the prefixes that continue: the loop of beam search and DVTS.

In each round all running particles sample and score a step, as in a filter. Then the rule names, for each slot, the particle
that it continues. Only the steps are random.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from epf.search.engine.rounds import any_running, is_discarded, is_finished, run_round
from epf.search.engine.search_run import SearchRun
from epf.search.engine.select_answer import answers_so_far
from epf.search.engine.trajectory import Outcome, Trajectory
from epf.search.events import Resampled
from epf.search.methods.aggregation import aggregated
from epf.search.result import StepRecord
from epf.search.smc.weights import FloatArray, entropy, ess, logit, normalise

Rule = Callable[[Sequence[Trajectory], FloatArray, int], list[int]]
"""``(trajectories (n,), log_weights (n,), beam_width)`` to the particle that each slot continues, ``(n,)``."""


async def run_stepwise(run: SearchRun, rule: Rule) -> Outcome:
    """Rounds until no particle is running, or until a limit cuts them short; then the finished particles vote.

    The weight of a particle is the odds of its aggregated score. There is no target, so no evidence either (NaN).
    """
    options = run.options
    n = options.n_particles
    trajectories: Sequence[Trajectory] = [Trajectory()] * n
    records: list[StepRecord] = []
    run.sampler.ahead.expect(n, 0)  # such a rule prunes most particles: what they began would be in vain
    for t in range(1, options.max_steps + 1):
        after = await run_round(run, trajectories, t)
        trajectories = after.trajectories
        log_weights = _weights(run, trajectories)
        if after.cut is not None:
            return Outcome(tuple(trajectories), log_weights, math.nan, tuple(records), after.cut)

        with run.meter.measure("resampling"):
            slots = list(range(n))
            ancestors = slots if t == options.max_steps else rule(trajectories, log_weights, options.beam_width)
            pruned = ancestors != slots
            weights = tuple(normalise(log_weights).tolist())
            records.append(StepRecord(t, ess(log_weights), entropy(log_weights), 1.0, pruned, len(set(ancestors))))
            if pruned:
                trajectories = [replace(trajectories[a], lineage=(*trajectories[a].lineage, a)) for a in ancestors]
                log_weights = log_weights[ancestors]
            n_finished = int(is_finished(trajectories).sum())
            so_far = answers_so_far(trajectories, log_weights, run)
        run.emit(Resampled(records[-1], tuple(ancestors), n_finished, *so_far, weights))
        if not any_running(trajectories):
            return Outcome(tuple(trajectories), log_weights, math.nan, tuple(records))
    return Outcome(tuple(trajectories), log_weights, math.nan, tuple(records), "max_steps")


def _weights(run: SearchRun, trajectories: Sequence[Trajectory]) -> FloatArray:
    """Log odds ``(n,)``; -inf for a discarded particle."""
    log_odds = logit([aggregated(trajectory, run.options.aggregation) for trajectory in trajectories])
    return np.where(is_discarded(trajectories), -np.inf, log_odds)
