"""The particle filter over reasoning steps, for any :class:`Potential`.

A round has three parts. Every running particle takes a step (:mod:`epf.search.engine.rounds`). The potential weighs the
particles. Then the kernel of :mod:`epf.search.smc.filter` tempers the weights and draws the particles that continue. Resampling
is the only barrier: within a round, particles do not wait for each other.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from epf.search.engine.rounds import any_running, is_discarded, is_finished, run_round
from epf.search.engine.search_run import NO_OPINION, SearchRun
from epf.search.engine.select_answer import answers_so_far
from epf.search.engine.trajectory import Outcome, Trajectory
from epf.search.events import Resampled
from epf.search.options import SearchOptions
from epf.search.result import StepRecord, StopReason
from epf.search.smc import filter as smc
from epf.search.smc.weights import FloatArray, log_normalised, logit


class Potential:
    """What a filter samples from, weighs by, and when it resamples, as ``FeynmanKac`` in the library particles.

    This one samples a step from the language model, and weighs a particle by the odds of its newest score, to the power
    ``odds_power`` times the slope of its depth. When and how to resample is the ``kernel``.
    """

    def __init__(self, run: SearchRun) -> None:
        self.run = run
        self.kernel = kernel_config(run.options)

    async def propagate(
        self, trajectory: Trajectory, t: int, slot: int, /, *, allowance: int, lookahead: bool = False
    ) -> Trajectory:
        """Sample x_t ~ p(x_t | x_1:t-1), and what is needed to weigh it."""
        return await self.run.propagate(trajectory, t, slot, allowance=allowance, lookahead=lookahead)

    def logits(self, before: Sequence[Trajectory], after: Sequence[Trajectory], previous: FloatArray) -> FloatArray:
        """l_t, the log odds by which particles are weighed, ``(m,)``.

        Args:
            before: particles before the round, ``(m,)``.
            after: particles after the round, ``(m,)``.
            previous: l_(t-1), ``(m,)``.
        """
        return self._strength(after) * logit([newest_score(trajectory) for trajectory in after])

    def successor_logits(self, after: Sequence[Trajectory], successors: Sequence[Trajectory | None]) -> FloatArray | None:
        """l_(t+1) of the drawn successors, ``(m,)``; None if no particle has one."""
        if not any(successors):
            return None
        seen = [_seen_ahead(*pair) for pair in zip(after, successors, strict=True)]
        return self._strength(seen) * logit([0.0 if each.status == "dead" else newest_score(each) for each in seen])

    def _strength(self, trajectories: Sequence[Trajectory]) -> FloatArray | float:
        """Factor of the log odds of each newest score, ``(m,)``, or one for all."""
        options = self.run.options
        return options.odds_power * slopes_at([len(t.scores) for t in trajectories], options.slopes)


@dataclass(frozen=True, slots=True)
class Sweep:
    """Particles of a search that are filtered together.

    Attributes:
        slots: index of each particle in the search, ``(m,)``.
        reference: trajectory that the last particle retraces; None if all particles are drawn.
        earlier, earlier_log_weights: particles of the sweeps before this one and their votes, for the best answer so far.
    """

    slots: tuple[int, ...]
    reference: Trajectory | None = None
    earlier: tuple[Trajectory, ...] = ()
    earlier_log_weights: tuple[float, ...] = ()


async def run_filter(run: SearchRun, potential: Potential, sweep: Sweep | None = None) -> Outcome:
    """Filter until no particle is running, or until a limit cuts it short; then finished particles keep their newest weight.

    The outcome holds the particles of ``sweep``, by default all.
    """
    options, kernel = run.options, potential.kernel
    first = () if sweep is None else sweep.slots[:1]
    sweep = sweep or Sweep(tuple(range(options.n_particles)))
    n = len(sweep.slots)
    trajectories: Sequence[Trajectory] = [Trajectory()] * n
    reused: list[Trajectory | None] = [None] * n
    state = smc.start(n)
    records: list[StepRecord] = []
    for t in range(1, options.max_steps + 1):
        if sweep.reference is not None:
            reused[-1] = sweep.reference.prefix(t)
        before = trajectories
        after = await run_round(run, before, t, slots=sweep.slots, reused=reused, propagate=potential.propagate)
        trajectories, successors = after.trajectories, after.successors
        running = any_running(trajectories)
        observation = smc.Observation(
            logits=potential.logits(before, trajectories, state.logits),
            finished=is_finished(trajectories),
            dead=is_discarded(trajectories),
            successor_logits=potential.successor_logits(trajectories, successors),
            last=not running or t == options.max_steps,
        )
        if after.cut is not None:
            log_weights = smc.weigh(state, observation, kernel)
            return Outcome(tuple(trajectories), log_weights, state.log_evidence, tuple(records), after.cut)

        with run.meter.measure("resampling"):
            rng = run.rng("resampling", t, *first)
            state, info = smc.step(state, observation, rng, kernel, None if sweep.reference is None else n - 1)
            records.append(_record(t, info))
            event = _resampled(run, sweep, trajectories, info, records[-1])
            ancestors = info.ancestors.tolist()
            run.settle(trajectories, ancestors, sweep.slots)
            if info.resampled:
                trajectories = [replace(trajectories[a], lineage=(*trajectories[a].lineage, sweep.slots[a])) for a in ancestors]
            reuses = not info.resampled or options.lookahead == "reuse"
            reused = [successors[a] if reuses and a == i else None for i, a in enumerate(ancestors)]
        run.emit(event)
        if observation.last:
            break
    limit: StopReason | None = "max_steps" if running else None
    return Outcome(tuple(trajectories), info.log_weights, state.log_evidence, tuple(records), limit)


def kernel_config(options: SearchOptions) -> smc.FilterConfig:
    """The options of the kernel."""
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


def slopes_at(depths: Sequence[int], slopes: Sequence[float]) -> FloatArray | float:
    """Slope of each depth, counted from 1 (0 is before the first step), ``(m,)``; the last holds for deeper ones."""
    if not slopes:
        return 1.0
    return np.array([slopes[min(max(depth, 1), len(slopes)) - 1] for depth in depths])


def newest_score(trajectory: Trajectory) -> float:
    """Newest score; 0.5, no opinion, before the first step."""
    return trajectory.scores[-1] if trajectory.scores else NO_OPINION


def _seen_ahead(trajectory: Trajectory, successor: Trajectory | None) -> Trajectory:
    """What look-ahead reads: the successor, where there is one with room for its step. One that died is surely wrong."""
    return trajectory if successor is None or successor.status == "context_full" else successor


def _record(t: int, info: smc.FilterInfo) -> StepRecord:
    return StepRecord(t, info.ess, info.entropy, info.temperature, info.resampled, len(set(info.ancestors.tolist())))


def _resampled(
    run: SearchRun, sweep: Sweep, trajectories: Sequence[Trajectory], info: smc.FilterInfo, record: StepRecord
) -> Resampled:
    """The event of a round, with the particles of earlier sweeps counted in; those have no weight in it."""
    n_drawn = len(trajectories) - (sweep.reference is not None)
    everyone = (*sweep.earlier, *trajectories[:n_drawn])
    log_weights = np.array([*sweep.earlier_log_weights, *log_normalised(info.log_weights)[:n_drawn]])
    ancestors = list(range(run.options.n_particles))
    for slot, ancestor in zip(sweep.slots, info.ancestors.tolist(), strict=True):
        ancestors[slot] = sweep.slots[ancestor]
    weights = _in_slots(info.weights, sweep, run.options.n_particles)
    probabilities = None if info.probabilities is None else _in_slots(info.probabilities, sweep, run.options.n_particles)
    return Resampled(
        record,
        tuple(ancestors),
        int(is_finished(everyone).sum()),
        *answers_so_far(everyone, log_weights, run),
        weights,
        probabilities,
    )


def _in_slots(values: FloatArray, sweep: Sweep, n: int) -> tuple[float, ...]:
    """``values`` ``(m,)`` of the sweep's particles at their places in the search, ``(n,)``; 0 elsewhere."""
    placed = np.zeros(n)
    placed[list(sweep.slots)] = values
    return tuple(placed.tolist())
