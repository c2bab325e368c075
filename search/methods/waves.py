"""Filtering in waves: groups of particles one after the other, until the answer is certain enough.

Each wave is a filter of its own, an island, whose particles never replace those of another. After each one the search asks for
the confidence in its answer so far, the calibrated probability that it is right (:mod:`epf.search.confidence`), and stops if it
is at least ``certainty``. Easy problems then cost one wave, and hard ones get all particles; islands also keep answers alive
that a single population would lose. What is lost is exploitation: the best of few particles is copied less.

Under ``incremental`` weighting the weights of all waves are on one scale, so that with ``certainty`` 1 the target is that of a
single filter, and its evidence is unbiased. Stopping depends on the answers, which leaves both consistent at best. Under
``current`` weighting every particle counts by its newest score, as in a single filter.
"""

import numpy as np

from epf.search.engine.search_run import SearchRun
from epf.search.engine.select_answer import answers_so_far
from epf.search.engine.trajectory import Outcome, Trajectory
from epf.search.methods.filtering import Potential, Sweep, run_filter
from epf.search.result import StepRecord, StopReason
from epf.search.smc.weights import FloatArray, log_mean, log_normalised


async def run_waves(run: SearchRun, potential: Potential) -> Outcome:
    """Waves until the answer is certain enough, all particles are drawn, or time or budget is spent."""
    options = run.options
    trajectories: list[Trajectory] = []
    log_weights, shown = np.array([]), np.array([])
    evidences: list[float] = []
    records: list[StepRecord] = []
    cut: StopReason | None = None
    for slots in np.array_split(np.arange(options.n_particles), min(options.waves, options.n_particles)):
        sweep = Sweep(tuple(slots.tolist()), None, tuple(trajectories), tuple(shown.tolist()))
        outcome = await run_filter(run, potential, sweep)
        trajectories += outcome.trajectories
        log_weights = np.append(log_weights, _on_one_scale(run, outcome))
        shown = np.append(shown, log_normalised(outcome.log_weights))
        evidences += [outcome.log_evidence] * len(slots)
        records += outcome.records
        cut = outcome.cut or cut
        if outcome.cut in ("deadline", "budget", "model_failed"):
            break
        _, _, confidence = answers_so_far(trajectories, log_weights, run)
        if confidence is not None and confidence >= options.certainty:
            break
    return Outcome(tuple(trajectories), log_weights, log_mean(evidences), tuple(records), cut)


def _on_one_scale(run: SearchRun, outcome: Outcome) -> FloatArray:
    """Log weights ``(m,)`` that can be compared with those of other waves; -inf for a dead particle."""
    if run.options.weighting == "current" or np.isneginf(outcome.log_weights).all():
        return outcome.log_weights
    return outcome.log_weights + (outcome.log_evidence - log_mean(outcome.log_weights))
