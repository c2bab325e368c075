"""ePF that may go back: prefixes that a draw left behind stay in a pool, from which later draws take a share.

The idea is that of stochastic backtracking (arXiv 2605.25143), of which only the abstract was known to us: a persistent pool of
historical prefixes, and sequential Monte Carlo over it with weights corrected for the mixture. How they mix, and their powers
of scores, we do not know; :mod:`epf.search.smc.pool`, which derives how it is done here, is ours.

Target: p(x) odds(x), as of ``incremental`` weighting, exact with and without annealing while ``max_steps`` cuts nothing short.
Every round draws. A draw takes the share ``pool_fraction`` of its mass from the pool if the round before pruned much, its ESS
below ``ess_threshold``: the survivors have then written one step, and where that was a disappointment those who were pruned
outweigh them.

All solutions ever finished vote, pruned or not: there may be more than ``n_particles`` of them, since a particle whose solution
is finished may be needed for another prefix. No round has more than ``n_particles`` steps and no search more than ``max_steps``
rounds, so at worst it costs what ePF does; a particle that went back may then have fewer steps. ``t`` counts rounds.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from epf.search.engine.search_run import Outcome, Run
from epf.search.engine.select_answer import best_so_far
from epf.search.engine.trajectory import Chain
from epf.search.events import Resampled
from epf.search.methods.epf import Group, propagate, score_of, tell_again
from epf.search.methods.method import ANNEALING, Method
from epf.search.result import StepRecord, StopReason
from epf.search.smc import pool as smc
from epf.search.smc.annealing import temperature
from epf.search.smc.weights import FloatArray, entropy, ess, log_sum, logit


async def run_epf_pool(run: Run) -> Outcome:
    """Rounds until nobody goes on, or until a limit cuts them short; then solutions and particles keep their weights."""
    options = run.options
    n = options.n_particles
    pool = smc.start()
    prefixes: list[Chain] = []
    homes: list[int] = []
    shown = [Chain()] * n
    slots = list(range(n))
    moving, held = [Chain()] * n, np.zeros(n)
    mixes = False
    records: list[StepRecord] = []
    for t in range(1, options.max_steps + 1):
        before = logit([score_of(chain) for chain in moving])
        moved, _, cut = await propagate(run, moving, [None] * len(moving), t, Group(tuple(slots)))
        hopeful = mixes or bool(pool.finished.any()) or any(chain.status in ("running", "finished") for chain in moved)
        out = np.array([chain.status == "dead" or (chain.status == "stuck" and hopeful) for chain in moved])
        log_weights = np.where(out, -np.inf, held + logit([score_of(chain) for chain in moved]) - before)
        n_older = len(prefixes)
        prefixes, homes = prefixes + moved, homes + slots
        if cut is None and t == options.max_steps and any(chain.status == "running" for chain in moved):
            cut = "max_steps"
        if cut is not None or t == options.max_steps or not hopeful:
            return _outcome(prefixes, smc.joined(pool, log_weights), len(moved), n, records, cut)

        with run.ledger.doing("resampling"):
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
                np.array([chain.status == "finished" for chain in moved]),
                n,
                fraction=options.pool_fraction if mixes else 0.0,
                temperature=heat,
                scheme=options.resampling,
                rng=run.rng("resampling", t),
            )
            mixes = ess(log_weights) < options.ess_threshold * len(moved)
            for slot, chain in zip(slots, moved, strict=True):
                shown[slot] = chain
            slots = sorted(sorted(range(n), key=lambda slot: shown[slot].status == "finished")[: chosen.size])
            ancestors = list(range(n))
            for slot, a in zip(slots, chosen, strict=True):
                ancestors[slot] = homes[a]
            moving = [replace(prefixes[a], lineage=(*prefixes[a].lineage, homes[a])) for a in chosen]
            distinct = len(set(chosen.tolist()))
            records.append(StepRecord(t, ess(log_weights), entropy(log_weights), heat, bool(moving), distinct))
            n_finished = int((pool.solved > -np.inf).sum())
            told = Resampled(records[-1], tuple(ancestors), n_finished, best_so_far(prefixes, pool.solved, options))
        run.emit(told)
        for slot, a, chain in zip(slots, chosen, moving, strict=True):
            if a < n_older:
                tell_again(run, chain, t, slot)
        if not moving:
            break
    return _outcome(prefixes, pool.solved, 0 if n_finished else len(moved), n, records, None)


def _outcome(
    prefixes: Sequence[Chain],
    log_weights: FloatArray,
    n_last: int,
    n: int,
    records: Sequence[StepRecord],
    cut: StopReason | None,
) -> Outcome:
    """The solutions that have a weight and the last so many prefixes, of those of n particles in all rounds."""
    last = len(prefixes) - n_last
    kept = [i for i, w in enumerate(log_weights) if i >= last or (prefixes[i].status == "finished" and w > -np.inf)]
    weights = log_weights[kept]
    return Outcome(tuple(prefixes[i] for i in kept), weights, log_sum(weights) - math.log(n), tuple(records), cut)


EPF_POOL = Method(
    "epf_pool",
    "entropic particle filtering that may go back to prefixes of earlier rounds",
    run_epf_pool,
    own=ANNEALING | {"resampling", "pool_fraction", "straggler_quantile"},
    fixed={"weighting": "incremental", "lookahead": "none"},
)
