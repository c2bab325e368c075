"""One round of a search over steps: every running particle takes a step, and perhaps looks one step ahead.

Within a round a particle samples and scores its step, then samples and scores the successor that it looks ahead to, without
waiting for other particles.
"""

import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from epf.core.tracing import span
from epf.search.engine.search_run import SearchRun
from epf.search.engine.trajectory import Trajectory
from epf.search.events import Scored, StepTaken
from epf.search.options import BoundedOptions
from epf.search.result import StopReason
from epf.search.smc.weights import BoolArray

Propagate = Callable[..., Awaitable[Trajectory]]
"""Extends a trajectory by one step; the arguments are those of ``SearchRun.propagate``."""


@dataclass(frozen=True, slots=True)
class Round:
    """What a round leaves.

    Attributes:
        trajectories: the particles after the round.
        successors: trajectories that particles looked ahead to; None for a particle that did not.
        cut: the limit that cut the round short, None if it is complete.
    """

    trajectories: list[Trajectory]
    successors: list[Trajectory | None]
    cut: StopReason | None


async def run_round(
    run: SearchRun,
    trajectories: Sequence[Trajectory],
    t: int,
    *,
    slots: Sequence[int] | None = None,
    reused: Sequence[Trajectory | None] | None = None,
    propagate: Propagate | None = None,
) -> Round:
    """Step ``t`` of every running particle.

    Args:
        run: the search.
        trajectories: the particles.
        t: number of the step, from 1.
        slots: index of each particle in the search; by default 0, 1, ...
        reused: successor that a particle takes as its step, free of cost; None for a particle that samples one. Without budget
            for all particles, only those with a successor take a step.
        propagate: extends a trajectory; by default ``run.propagate``.
    """
    options, n = run.options, len(trajectories)
    slots = range(n) if slots is None else slots
    reused = [None] * n if reused is None else reused
    propagate = propagate or run.propagate
    moved = list(trajectories)
    successors: list[Trajectory | None] = [None] * n
    looks_ahead = options.lookahead != "none" and t < options.max_steps
    running = [i for i, trajectory in enumerate(trajectories) if trajectory.status == "running"]
    allowance = run.token_share(sum(1 for i in running if looks_ahead or reused[i] is None))
    max_tokens = _max_step_tokens(trajectories, options)
    moving = running if allowance >= 1 else [i for i in running if reused[i] is not None]

    async def advance(i: int) -> None:
        left = allowance
        step = reused[i]
        if step is None:
            step = await propagate(trajectories[i], t, slots[i], allowance=min(left, max_tokens))
            left -= len(step.token_ids) - len(trajectories[i].token_ids)
        else:
            step = replace(step, lineage=trajectories[i].lineage)
            replay_events(run, step, t, slots[i])
        moved[i] = step
        if looks_ahead and left > 0 and step.status == "running":
            successors[i] = await propagate(step, t + 1, slots[i], allowance=min(left, max_tokens), lookahead=True)

    with span("round", {"epf.round": t, "epf.particles": len(moving)}):
        cut = await run.run_tasks(advance(i) for i in moving)
    if cut:
        moved = [run.unscored.get(slot, each) for slot, each in zip(slots, moved, strict=True)]
        return Round(moved, successors, cut)
    return Round(moved, successors, "budget" if len(moving) < len(running) else None)


def replay_events(run: SearchRun, trajectory: Trajectory, t: int, slot: int) -> None:
    """Emit the newest step of ``trajectory`` again, as step ``t`` of ``slot``, which took it over free of cost."""
    if trajectory.status in ("running", "finished"):
        run.emit(StepTaken(slot, t, trajectory.steps[-1].text, trajectory.steps[-1].finish, 0, False))
        run.emit(Scored(slot, t, trajectory.scores[-1], False))


def is_discarded(trajectories: Sequence[Trajectory]) -> BoolArray:
    """Whether each particle has no weight, ``(n,)``: it is dead, or its context is full and another particle can do better."""
    better = any(trajectory.status in ("running", "finished") for trajectory in trajectories)
    return np.array([t.status == "dead" or (t.status == "context_full" and better) for t in trajectories])


def is_finished(trajectories: Sequence[Trajectory]) -> BoolArray:
    """Whether each particle has finished, ``(n,)``."""
    return np.array([trajectory.status == "finished" for trajectory in trajectories])


def any_running(trajectories: Sequence[Trajectory]) -> bool:
    """Whether a particle can take another step."""
    return any(trajectory.status == "running" for trajectory in trajectories)


def _max_step_tokens(trajectories: Sequence[Trajectory], options: BoundedOptions) -> int:
    """Number of tokens at which the steps of a round are cut, fixed before the round so that the seed decides the result."""
    lengths = [len(step.token_ids) for trajectory in trajectories for step in trajectory.steps if step.finish == "separator"]
    if options.straggler_quantile is None or not lengths:
        return options.max_tokens_per_step
    return math.ceil(np.quantile(lengths, options.straggler_quantile))
