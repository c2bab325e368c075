"""Beam search over steps, by the reward model's scores.

After Snell et al. (arXiv 2408.03314) and search-and-learn: n first steps; then, round by round, the best n / m prefixes are
kept and each is continued m times, m being ``beam_width``. As in search-and-learn a prefix that was written twice is kept
once, and a finished beam is a candidate for the answer, whatever its score.

Ours: a finished beam stays in its slot, and ceil(s / m) prefixes share the other s slots as evenly as possible, the better ones
first. So any n will do: no prefix has more continuations than m unless too few prefixes differ, n <= m keeps one prefix, and
n = 1 is a plain sample. A round costs at most n steps, and there are n candidates in the end. (search-and-learn widens the beam
to n again when some have finished, and requires n to be a multiple of m.) Answers vote by odds, or as the caller selects. No
distribution is targeted: scores only rank, and what is pruned is gone.
"""

from collections.abc import Sequence

from epf.search.engine.search_run import SearchRun
from epf.search.engine.trajectory import Outcome, Trajectory
from epf.search.methods.method import UNFILTERED, Method
from epf.search.methods.stepwise import run_stepwise
from epf.search.smc.weights import FloatArray


async def run_beam(run: SearchRun) -> Outcome:
    """Rounds of beam search."""
    return await run_stepwise(run, best_prefixes)


def best_prefixes(trajectories: Sequence[Trajectory], log_weights: FloatArray, beam_width: int) -> list[int]:
    """Finished beams stay in their slots, all other slots continue the best running prefixes, in the order of their slots.

    So continuations of one prefix are neighbours, which a generator may sample together. Among beams with equal scores the one
    in the lower slot is better.
    """
    ancestors = list(range(len(trajectories)))
    free = [slot for slot in ancestors if trajectories[slot].status != "finished"]
    running = [slot for slot in free if trajectories[slot].status == "running"]
    best_first: dict[tuple[int, ...], int] = {}
    for slot in sorted(running, key=lambda slot: (-log_weights[slot], slot)):
        best_first.setdefault(trajectories[slot].token_ids, slot)
    kept = list(best_first.values())[: -(-len(free) // beam_width)]
    if not kept:
        return ancestors
    each, n_more = divmod(len(free), len(kept))
    copies = {slot: each + (rank < n_more) for rank, slot in enumerate(kept)}
    continued = [slot for slot in sorted(kept) for _ in range(copies[slot])]
    for slot, ancestor in zip(free, continued, strict=True):
        ancestors[slot] = ancestor
    return ancestors


BEAM = Method(
    "beam",
    "beam search: the best prefixes by the reward model continue",
    run_beam,
    own=frozenset({"aggregation", "beam_width", "straggler_quantile"}),
    fixed=UNFILTERED,
)
