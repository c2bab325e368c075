"""Diverse verifier tree search: independent subtrees, in each of which the best child continues.

After Beeching, Tunstall & Rush, "Scaling test-time compute with open models" (2024), and search-and-learn: the n particles are
split into n / m subtrees of m, m being ``beam_width``; each round the child with the best score is kept and continued m times,
so that a prefix with a high score cannot crowd out the other subtrees. A subtree ends when its best child is finished.

Ours: where n / m is not whole, ceil(n / m) subtrees of sizes as even as possible; n <= m is one subtree, n = 1 a plain sample.
The best child fills all slots of its subtree, so the ends of the subtrees vote (by odds, or as the caller selects), each as
often as its subtree has slots; search-and-learn returns all children of the last round, including unfinished ones. Only where a
limit ends the search, every finished child votes. No distribution is targeted: scores only rank.
"""

from collections.abc import Sequence

from epf.search.engine.search_run import SearchRun
from epf.search.engine.trajectory import Outcome, Trajectory
from epf.search.methods.method import UNFILTERED, Method
from epf.search.methods.stepwise import run_stepwise
from epf.search.smc.weights import FloatArray


async def run_dvts(run: SearchRun) -> Outcome:
    """Rounds in every subtree."""
    return await run_stepwise(run, best_children)


def best_children(trajectories: Sequence[Trajectory], log_weights: FloatArray, beam_width: int) -> list[int]:
    """The best child of each subtree in all its slots. Among children with equal scores the one in the lower slot is better."""
    n = len(trajectories)
    n_subtrees = -(-n // beam_width)
    ancestors: list[int] = []
    for k in range(n_subtrees):
        subtree = range(n * k // n_subtrees, n * (k + 1) // n_subtrees)
        ancestors += [max(subtree, key=lambda slot: float(log_weights[slot]))] * len(subtree)
    return ancestors


DVTS = Method(
    "dvts",
    "diverse verifier tree search: the best child of each subtree continues",
    run_dvts,
    own=frozenset({"aggregation", "beam_width", "straggler_quantile"}),
    fixed=UNFILTERED,
)
