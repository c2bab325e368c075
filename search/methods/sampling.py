"""Whole solutions sampled concurrently, each at its own pace: the common part of methods that do not search over steps."""

from collections.abc import Awaitable, Callable

from epf.core.generator import abilities_of
from epf.search.engine.search_run import SearchRun
from epf.search.engine.trajectory import Trajectory
from epf.search.result import StopReason


async def sample_solutions(
    run: SearchRun,
    score: Callable[[Trajectory, int], Awaitable[Trajectory]] | None = None,
    slots: range | None = None,
    *,
    shown: bool = False,
) -> tuple[list[Trajectory], StopReason | None]:
    """Independent trajectories, by default all ``n_particles``, and the limit that left one of them unfinished.

    A generator that cannot continue a solution samples each of them with one call.

    ``score`` is applied to a trajectory (and its slot) as soon as it has finished. With ``shown``, texts are emitted while they
    are sampled.
    """
    slots = range(run.options.n_particles) if slots is None else slots
    trajectories = [Trajectory()] * len(slots)
    share = run.token_share(len(slots))
    continues = abilities_of(run.generator).continues
    spent = False

    async def scored(
        trajectory: Trajectory, slot: int, score: Callable[[Trajectory, int], Awaitable[Trajectory]]
    ) -> Trajectory:
        run.finished_unscored(trajectory, slot)
        trajectory = await score(trajectory, slot)
        del run.unscored[slot]
        return trajectory

    async def finish(slot: int) -> None:
        nonlocal spent
        trajectory = Trajectory()
        if not continues:
            trajectory = await run.sample_whole(slot, allowance=share, shown=shown)
            if trajectory.status == "finished" and score is not None:
                trajectory = await scored(trajectory, slot, score)
            trajectories[slot - slots.start] = trajectory
            return
        for t in range(1, run.options.max_steps + 1):
            left = share - len(trajectory.token_ids)
            if left < 1:
                spent = True
                return
            trajectory = await run.sample_step(trajectory, t, slot, allowance=left, shown=shown)
            if trajectory.status == "finished" and score is not None:
                trajectory = await scored(trajectory, slot, score)
            trajectories[slot - slots.start] = trajectory
            if trajectory.status != "running":
                return

    if cut := await run.run_tasks(finish(slot) for slot in slots):
        return [run.unscored.get(slot, each) for slot, each in zip(slots, trajectories, strict=True)], cut
    if not any(trajectory.status == "running" for trajectory in trajectories):
        return trajectories, None
    return trajectories, "budget" if spent else "max_steps"
