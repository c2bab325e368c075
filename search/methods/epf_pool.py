"""ePF that can go back: prefixes that a draw left behind stay in a pool, from which later draws take a share.

The idea is that of stochastic backtracking (arXiv 2605.25143), of which only the abstract was available to us: a persistent
pool of historical prefixes, and sequential Monte Carlo over it with weights corrected for the mixture. How they mix, and their
powers of scores, we do not know; :mod:`epf.search.smc.pool`, which derives how it is done here, is ours.

Target: p(x) odds(x), that of ``incremental`` weighting, exact with and without annealing while ``max_steps`` cuts nothing
short. Every round draws. A draw takes the share ``pool_fraction`` of its mass from the pool if the round before pruned much,
its ESS below ``ess_threshold``: the survivors have then written one step, and if that was a disappointment, the pruned ones
outweigh them.

All finished solutions vote, pruned or not. There may be more than ``n_particles`` of them, since a particle whose solution is
finished may be needed for another prefix. No round has more than ``n_particles`` steps and no search more than ``max_steps``
rounds, so the cost is at most that of ePF; a particle that went back may then have fewer steps. ``t`` counts rounds.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from epf.search.engine.rounds import any_running, is_finished, replay_events, run_round
from epf.search.engine.search_run import SearchRun
from epf.search.engine.select_answer import answers_so_far
from epf.search.engine.trajectory import Outcome, Trajectory
from epf.search.events import Resampled
from epf.search.methods.filtering import newest_score
from epf.search.methods.method import ANNEALING, Method
from epf.search.result import StepRecord, StopReason
from epf.search.smc import pool as smc
from epf.search.smc.annealing import temperature
from epf.search.smc.weights import FloatArray, entropy, ess, log_sum, logit, normalise


async def run_epf_pool(run: SearchRun) -> Outcome:
    """Rounds until no prefix continues, or until a limit cuts them short; then solutions and particles keep their weights."""
    options = run.options
    n = options.n_particles
    pool = smc.start()
    run.sampler.ahead.expect(n, 0)  # a draw from the pool may leave any particle behind
    prefixes: list[Trajectory] = []
    homes: list[int] = []
    shown = [Trajectory()] * n
    slots = list(range(n))
    moving, held = [Trajectory()] * n, np.zeros(n)
    mixes = False
    records: list[StepRecord] = []
    for t in range(1, options.max_steps + 1):
        before = logit([newest_score(trajectory) for trajectory in moving])
        after = await run_round(run, moving, t, slots=slots)
        moved, cut = after.trajectories, after.cut
        hopeful = mixes or bool(pool.finished.any()) or any(p.status in ("running", "finished") for p in moved)
        discarded = np.array([p.status == "dead" or (p.status == "context_full" and hopeful) for p in moved])
        log_weights = np.where(discarded, -np.inf, held + logit([newest_score(trajectory) for trajectory in moved]) - before)
        n_older = len(prefixes)
        prefixes, homes = prefixes + moved, homes + slots
        if cut is None and t == options.max_steps and any_running(moved):
            cut = "max_steps"
        if cut is not None or t == options.max_steps or not hopeful:
            return _outcome(prefixes, smc.joined(pool, log_weights), len(moved), n, records, cut)

        with run.meter.measure("resampling"):
            heat = temperature(
                options.annealing,
                log_weights,
                t / options.horizon,
                threshold=options.ess_threshold,
                early_phase=options.early_phase,
            )
            pool, chosen, held = smc.draw(
                pool,
                log_weights,
                is_finished(moved),
                n,
                fraction=options.pool_fraction if mixes else 0.0,
                temperature=heat,
                scheme=options.resampling,
                rng=run.rng("resampling", t),
            )
            mixes = ess(log_weights) < options.ess_threshold * len(moved)
            weights = np.zeros(n)
            weights[slots] = normalise(log_weights)
            for slot, trajectory in zip(slots, moved, strict=True):
                shown[slot] = trajectory
            slots = sorted(sorted(range(n), key=lambda slot: shown[slot].status == "finished")[: chosen.size])
            ancestors = list(range(n))
            for slot, a in zip(slots, chosen, strict=True):
                ancestors[slot] = homes[a]
            moving = [replace(prefixes[a], lineage=(*prefixes[a].lineage, homes[a])) for a in chosen]
            n_distinct = len(set(chosen.tolist()))
            records.append(StepRecord(t, ess(log_weights), entropy(log_weights), heat, bool(moving), n_distinct))
            n_finished = int((pool.solved > -np.inf).sum())
            kept = np.flatnonzero(pool.solved > -np.inf)
            shared = [*(prefixes[i] for i in kept), *moving]
            so_far = answers_so_far(shared, np.array([*pool.solved[kept], *[-np.inf] * len(moving)]), run)
            event = Resampled(records[-1], tuple(ancestors), n_finished, *so_far, tuple(weights.tolist()))
        run.emit(event)
        for slot, a, trajectory in zip(slots, chosen, moving, strict=True):
            if a < n_older:
                replay_events(run, trajectory, t, slot)
        if not moving:
            break
    return _outcome(prefixes, pool.solved, 0 if n_finished else len(moved), n, records, None)


def _outcome(
    prefixes: Sequence[Trajectory],
    log_weights: FloatArray,
    n_last: int,
    n: int,
    records: Sequence[StepRecord],
    cut: StopReason | None,
) -> Outcome:
    """The solutions that have a weight and the last ``n_last`` prefixes, from those of n particles in all rounds."""
    last = len(prefixes) - n_last
    kept = [i for i, w in enumerate(log_weights) if i >= last or (prefixes[i].status == "finished" and w > -np.inf)]
    weights = log_weights[kept]
    return Outcome(tuple(prefixes[i] for i in kept), weights, log_sum(weights) - math.log(n), tuple(records), cut)


EPF_POOL = Method(
    "epf_pool",
    "entropic particle filtering that can go back to prefixes of earlier rounds",
    run_epf_pool,
    own=ANNEALING | {"resampling", "pool_fraction", "straggler_quantile"},
    fixed={"weighting": "incremental", "lookahead": "none"},
)
