"""Entropic particle filtering: the filter of :mod:`search.smc.filter` over language model steps.

Each round every running particle draws a step and has it judged, then, with look-ahead, draws and judges a successor; a
particle goes from one to the next without waiting for others. The only barrier is resampling.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from search.config import SearchConfig
from search.engine.chain import Chain
from search.engine.conclude import best_so_far
from search.engine.run import Outcome, Run
from search.events import Resampled, Scored, StepTaken
from search.methods.method import Method, unused
from search.result import StepRecord, StopReason
from search.smc import filter as smc
from search.smc.weights import logit


async def run_filter(run: Run) -> Outcome:
    """Filter until no particle is running, or until a limit cuts it short; then finished particles keep their newest weight."""
    config = run.config
    n = config.n_particles
    kernel = kernel_config(config)
    chains = [Chain()] * n
    kept: list[Chain | None] = [None] * n
    state = smc.start(n)
    records: list[StepRecord] = []
    for t in range(1, config.max_steps + 1):
        chains, successors, cut = await propagate(run, chains, kept, t)
        running = any(chain.status == "running" for chain in chains)
        observation = _observe(chains, successors, last=not running or t == config.max_steps)
        if cut is not None:
            log_weights = smc.weigh(state, observation, kernel)
            return Outcome(tuple(chains), log_weights, state.log_evidence, tuple(records), cut)

        with run.ledger.doing("resampling"):
            state, info = smc.step(state, observation, run.rng("resampling", t), kernel)
            records.append(_record(t, info))
            told = _told(run, chains, info, records[-1])
            ancestors = info.ancestors.tolist()
            if info.resampled:
                chains = [replace(chains[a], lineage=(*chains[a].lineage, a)) for a in ancestors]
            keep = not info.resampled or config.lookahead == "reuse"
            kept = [successors[a] if keep and first else None for a, first in zip(ancestors, info.first_copy, strict=True)]
        run.emit(told)
        if observation.last:
            break
    limit: StopReason | None = "max_steps" if running else None
    return Outcome(tuple(chains), info.log_weights, state.log_evidence, tuple(records), limit)


def kernel_config(config: SearchConfig) -> smc.FilterConfig:
    """The kernel's share of the options."""
    return smc.FilterConfig(
        weighting=config.weighting,
        annealing=config.annealing,
        ess_threshold=config.ess_threshold,
        early_phase=config.early_phase,
        horizon=config.horizon,
        lam=config.lookahead_weight,
        resampling=config.resampling,
        resample_finished=config.resample_finished,
    )


async def propagate(
    run: Run, chains: Sequence[Chain], kept: Sequence[Chain | None], t: int
) -> tuple[list[Chain], list[Chain | None], StopReason | None]:
    """Step ``t`` of every running particle: chains, drawn successors, and the limit that cut the round short.

    A particle that kept its successor takes it, free of cost. Without budget for all, only those go on.
    """
    config = run.config
    moved = list(chains)
    successors: list[Chain | None] = [None] * len(chains)
    looking = config.lookahead != "none" and t < config.max_steps
    going = [slot for slot, chain in enumerate(chains) if chain.status == "running"]
    allowance = run.share(sum(1 for slot in going if looking or kept[slot] is None))
    longest = _longest_step(chains, config)
    if allowance < 1:
        going = [slot for slot in going if kept[slot] is not None]
    short = allowance < 1 and len(going) < sum(chain.status == "running" for chain in chains)

    async def advance(slot: int) -> None:
        left = allowance
        chain = kept[slot]
        if chain is None:
            chain = await run.extend(chains[slot], t, slot, allowance=min(left, longest))
            left -= len(chain.token_ids) - len(chains[slot].token_ids)
        else:
            chain = replace(chain, lineage=chains[slot].lineage)
            _tell_again(run, chain, t, slot)
        moved[slot] = chain
        if looking and left > 0 and chain.status == "running":
            successors[slot] = await run.extend(chain, t + 1, slot, allowance=min(left, longest), lookahead=True)

    if await run.gather(advance(slot) for slot in going):
        return moved, successors, "deadline"
    return moved, successors, "budget" if short else None


def _longest_step(chains: Sequence[Chain], config: SearchConfig) -> int:
    """Tokens at which a step of this round is cut: decided before the round, so that the seed alone decides the result."""
    lengths = [len(step.token_ids) for chain in chains for step in chain.steps if step.finish == "separator"]
    if config.straggler_quantile is None or not lengths:
        return config.max_tokens_per_step
    return math.ceil(np.quantile(lengths, config.straggler_quantile))


def _observe(chains: Sequence[Chain], successors: Sequence[Chain | None], *, last: bool) -> smc.Observation:
    """What the kernel sees. A stuck particle is as good as dead unless nothing better is left."""
    better = any(chain.status in ("running", "finished") for chain in chains)
    ahead = [_successor_score(c, s) for c, s in zip(chains, successors, strict=True)]
    return smc.Observation(
        logits=logit([_score(chain) for chain in chains]),
        finished=np.array([chain.status == "finished" for chain in chains]),
        dead=np.array([chain.status == "dead" or (chain.status == "stuck" and better) for chain in chains]),
        successor_logits=logit(ahead) if any(successors) else None,
        last=last,
    )


def _score(chain: Chain) -> float:
    return chain.scores[-1] if chain.scores else 0.5


def _successor_score(chain: Chain, successor: Chain | None) -> float:
    """Score to look ahead with: a successor that died counts as surely wrong, one that there is no room for tells nothing."""
    if successor is None or successor.status == "stuck":
        return _score(chain)
    return 0.0 if successor.status == "dead" else _score(successor)


def _record(t: int, info: smc.FilterInfo) -> StepRecord:
    return StepRecord(t, info.ess, info.entropy, info.temperature, info.resampled, len(set(info.ancestors.tolist())))


def _told(run: Run, chains: Sequence[Chain], info: smc.FilterInfo, record: StepRecord) -> Resampled:
    n_finished = sum(chain.status == "finished" for chain in chains)
    answer = best_so_far(chains, info.log_weights, run.config)
    return Resampled(record, tuple(info.ancestors.tolist()), n_finished, answer)


def _tell_again(run: Run, chain: Chain, t: int, slot: int) -> None:
    if chain.status in ("running", "finished"):
        run.emit(StepTaken(slot, t, chain.steps[-1].text, chain.steps[-1].finish, 0, False))
        run.emit(Scored(slot, t, chain.scores[-1], False))


NO_TREE = unused("aggregation", "beam_width")
"""A filter weighs by the newest score and draws who goes on."""

EPF = Method("epf", "entropic particle filtering: annealed resampling, look-ahead on request", run_filter, fixed=NO_TREE)
