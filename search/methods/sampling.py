"""Whole solutions drawn side by side, each at its own pace: what methods without a search over steps share."""

from collections.abc import Awaitable, Callable

from epf.search.engine.search_run import Run
from epf.search.engine.trajectory import Chain
from epf.search.result import StopReason


async def sample_chains(
    run: Run, judged: Callable[[Chain, int], Awaitable[Chain]] | None = None, slots: range | None = None
) -> tuple[list[Chain], StopReason | None]:
    """Independent chains, by default all ``n_particles``, and the limit that left one of them unfinished.

    ``judged`` is applied to a chain (and its slot) as soon as it has finished.
    """
    slots = range(run.options.n_particles) if slots is None else slots
    chains = [Chain()] * len(slots)
    share = run.share(len(slots))
    spent = False

    async def finish(slot: int) -> None:
        nonlocal spent
        chain = Chain()
        for t in range(1, run.options.max_steps + 1):
            left = share - len(chain.token_ids)
            if left < 1:
                spent = True
                return
            chain = await run.draw(chain, t, slot, allowance=left)
            if chain.status == "finished" and judged is not None:
                chain = await judged(chain, slot)
            chains[slot - slots.start] = chain
            if chain.status != "running":
                return

    if await run.gather(finish(slot) for slot in slots):
        return chains, "deadline"
    if not any(chain.status == "running" for chain in chains):
        return chains, None
    return chains, "budget" if spent else "max_steps"
