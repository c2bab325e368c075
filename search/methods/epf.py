"""Entropic particle filtering: the filter of :mod:`epf.search.smc.filter` over language model steps.

Annealing is the ePF paper's (arXiv 2510.05825). Ours are the power of the odds and the vote. A score judges the whole prefix,
so the product of the odds of all steps, the target of ``current`` weighting, counts what is thought of the first step once
more at every step; with ``odds_power`` 0.5 each judgement counts for half. And a particle votes with its probability to be
right, not with its odds, by which it has been drawn already. ``epf_published`` has neither.

Each round every running particle draws a step and has it judged, then, with look-ahead, draws and judges a successor; a
particle goes from one to the next without waiting for others. The only barrier is resampling.
"""

import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from epf.search.engine.search_run import Outcome, Run
from epf.search.engine.select_answer import best_so_far
from epf.search.engine.trajectory import Chain
from epf.search.events import Resampled, Scored, StepTaken
from epf.search.methods.method import ANNEALING, Method
from epf.search.options import AnswerSelection, SearchOptions
from epf.search.result import StepRecord, StopReason
from epf.search.smc import filter as smc
from epf.search.smc.weights import BoolArray, FloatArray, log_normalised, logit

Extend = Callable[..., Awaitable[Chain]]
"""As ``Run.extend``."""

Potential = Callable[[FloatArray, Sequence[Chain], Sequence[Chain]], FloatArray]
"""Log potentials ``(m,)`` of prefixes, from those before the round ``(m,)`` and the chains before and after it."""


@dataclass(frozen=True, slots=True)
class Group:
    """Particles of a search that are filtered together.

    Attributes:
        slots: index of each in the search, ``(m,)``.
        reference: the trajectory that the last of them retraces; None if all are drawn.
        earlier, earlier_log_weights: particles of groups before this one and their votes, for the best answer so far.
        extend, potential: how they draw a step and what weighs it, in place of the reward model.
    """

    slots: tuple[int, ...]
    reference: Chain | None = None
    earlier: tuple[Chain, ...] = ()
    earlier_log_weights: tuple[float, ...] = ()
    extend: Extend | None = None
    potential: Potential | None = None


async def run_filter(run: Run, group: Group | None = None) -> Outcome:
    """Filter until no particle is running, or until a limit cuts it short; then finished particles keep their newest weight.

    The outcome is that of the particles of ``group``, by default of all.
    """
    options = run.options
    turn = () if group is None else group.slots[:1]
    group = group or Group(tuple(range(options.n_particles)))
    n = len(group.slots)
    kernel = kernel_config(options)
    chains = [Chain()] * n
    kept: list[Chain | None] = [None] * n
    state = smc.start(n)
    records: list[StepRecord] = []
    for t in range(1, options.max_steps + 1):
        if group.reference is not None:
            kept[-1] = group.reference.prefix(t)
        before = chains
        chains, successors, cut = await propagate(run, before, kept, t, group)
        running = any(chain.status == "running" for chain in chains)
        logits = log_potentials([score_of(chain) for chain in chains], options)
        if group.potential is not None:
            logits = group.potential(state.logits, before, chains)
        observation = _observe(logits, chains, successors, options, last=not running or t == options.max_steps)
        if cut is not None:
            log_weights = smc.weigh(state, observation, kernel)
            return Outcome(tuple(chains), log_weights, state.log_evidence, tuple(records), cut)

        with run.ledger.doing("resampling"):
            rng = run.rng("resampling", t, *turn)
            state, info = smc.step(state, observation, rng, kernel, None if group.reference is None else n - 1)
            records.append(_record(t, info))
            told = _told(run, group, chains, info, records[-1])
            ancestors = info.ancestors.tolist()
            if info.resampled:
                chains = [replace(chains[a], lineage=(*chains[a].lineage, group.slots[a])) for a in ancestors]
            keep = not info.resampled or options.lookahead == "reuse"
            kept = [successors[a] if keep and first else None for a, first in zip(ancestors, info.first_copy, strict=True)]
        run.emit(told)
        if observation.last:
            break
    limit: StopReason | None = "max_steps" if running else None
    return Outcome(tuple(chains), info.log_weights, state.log_evidence, tuple(records), limit)


def kernel_config(options: SearchOptions) -> smc.FilterConfig:
    """The kernel's share of the options."""
    return smc.FilterConfig(
        weighting=options.weighting,
        annealing=options.annealing,
        ess_threshold=options.ess_threshold,
        early_phase=options.early_phase,
        horizon=options.horizon,
        lam=options.lookahead_weight,
        resampling=options.resampling,
        resample_finished=options.resample_finished,
    )


async def propagate(
    run: Run, chains: Sequence[Chain], kept: Sequence[Chain | None], t: int, group: Group | None = None
) -> tuple[list[Chain], list[Chain | None], StopReason | None]:
    """Step ``t`` of every running particle: chains, drawn successors, and the limit that cut the round short.

    A particle that kept its successor takes it, free of cost. Without budget for all, only those go on.
    """
    slots = tuple(range(len(chains))) if group is None else group.slots
    extend: Extend = (group and group.extend) or run.extend
    options = run.options
    moved = list(chains)
    successors: list[Chain | None] = [None] * len(chains)
    looking = options.lookahead != "none" and t < options.max_steps
    going = [slot for slot, chain in enumerate(chains) if chain.status == "running"]
    allowance = run.share(sum(1 for slot in going if looking or kept[slot] is None))
    longest = _longest_step(chains, options)
    if allowance < 1:
        going = [slot for slot in going if kept[slot] is not None]
    short = allowance < 1 and len(going) < sum(chain.status == "running" for chain in chains)

    async def advance(slot: int) -> None:
        left = allowance
        chain = kept[slot]
        if chain is None:
            chain = await extend(chains[slot], t, slots[slot], allowance=min(left, longest))
            left -= len(chain.token_ids) - len(chains[slot].token_ids)
        else:
            chain = replace(chain, lineage=chains[slot].lineage)
            tell_again(run, chain, t, slots[slot])
        moved[slot] = chain
        if looking and left > 0 and chain.status == "running":
            successors[slot] = await extend(chain, t + 1, slots[slot], allowance=min(left, longest), lookahead=True)

    if await run.gather(advance(slot) for slot in going):
        return moved, successors, "deadline"
    return moved, successors, "budget" if short else None


def _longest_step(chains: Sequence[Chain], options: SearchOptions) -> int:
    """Tokens at which a step of this round is cut: decided before the round, so that the seed alone decides the result."""
    lengths = [len(step.token_ids) for chain in chains for step in chain.steps if step.finish == "separator"]
    if options.straggler_quantile is None or not lengths:
        return options.max_tokens_per_step
    return math.ceil(np.quantile(lengths, options.straggler_quantile))


def log_potentials(scores: Sequence[float], options: SearchOptions) -> FloatArray:
    """Log odds of scores ``(n,)`` to the power that they are weighed with."""
    return options.odds_power * logit(scores)


def _observe(
    logits: FloatArray, chains: Sequence[Chain], successors: Sequence[Chain | None], options: SearchOptions, *, last: bool
) -> smc.Observation:
    """What the kernel sees."""
    ahead = [_successor_score(c, s) for c, s in zip(chains, successors, strict=True)]
    return smc.Observation(
        logits=logits,
        finished=np.array([chain.status == "finished" for chain in chains]),
        dead=out_of_it(chains),
        successor_logits=log_potentials(ahead, options) if any(successors) else None,
        last=last,
    )


def out_of_it(chains: Sequence[Chain]) -> BoolArray:
    """Which particles are dead, ``(n,)``; a stuck one is as good as dead unless nothing better is left."""
    better = any(chain.status in ("running", "finished") for chain in chains)
    return np.array([chain.status == "dead" or (chain.status == "stuck" and better) for chain in chains])


def score_of(chain: Chain) -> float:
    """Newest score; 0.5, no opinion, before the first step."""
    return chain.scores[-1] if chain.scores else 0.5


def _successor_score(chain: Chain, successor: Chain | None) -> float:
    """Score to look ahead with: a successor that died counts as surely wrong, one that there is no room for tells nothing."""
    if successor is None or successor.status == "stuck":
        return score_of(chain)
    return 0.0 if successor.status == "dead" else score_of(successor)


def _record(t: int, info: smc.FilterInfo) -> StepRecord:
    return StepRecord(t, info.ess, info.entropy, info.temperature, info.resampled, len(set(info.ancestors.tolist())))


def _told(run: Run, group: Group, chains: Sequence[Chain], info: smc.FilterInfo, record: StepRecord) -> Resampled:
    drawn = len(chains) - (group.reference is not None)
    everyone = (*group.earlier, *chains[:drawn])
    log_weights = np.array([*group.earlier_log_weights, *log_normalised(info.log_weights)[:drawn]])
    ancestors = list(range(run.options.n_particles))
    for slot, ancestor in zip(group.slots, info.ancestors.tolist(), strict=True):
        ancestors[slot] = group.slots[ancestor]
    n_finished = sum(chain.status == "finished" for chain in everyone)
    return Resampled(record, tuple(ancestors), n_finished, best_so_far(everyone, log_weights, run.options))


def tell_again(run: Run, chain: Chain, t: int, slot: int) -> None:
    """Tell the newest step of ``chain`` as step ``t`` of ``slot``, which took it over free of cost."""
    if chain.status in ("running", "finished"):
        run.emit(StepTaken(slot, t, chain.steps[-1].text, chain.steps[-1].finish, 0, False))
        run.emit(Scored(slot, t, chain.scores[-1], False))


def _votes(options: SearchOptions) -> AnswerSelection:
    """By probability where every round has drawn the particles by weight, else with the weights, which then say something."""
    return "probability_vote" if options.weighting == "current" else "weighted_vote"


EPF = Method(
    "epf",
    "entropic particle filtering: annealed resampling, look-ahead on request",
    run_filter,
    own=ANNEALING
    | {
        "odds_power",
        "resampling",
        "weighting",
        "resample_finished",
        "lookahead",
        "lookahead_weight",
        "straggler_quantile",
    },
    votes=_votes,
)
