"""The conclusion, the tables and the picture of ``ranking``."""

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from epf.entropy.core.checks import number_of
from epf.entropy.ranking.schema import RankingOutput
from epf.entropy.tooling.tool import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_SHOWN = 16
"""Maximum number of ranks in the table and the picture."""


def conclusion(found: RankingOutput) -> str:
    """How often the best candidate agrees, the loss next to that of an uninformed student, and where most rankings diverge."""
    if found.same_best is None:
        return "The teacher distinguishes no candidates, so agreement cannot be measured."
    places = Counter(problem.diverges_at for problem in found.problems if problem.diverges_at is not None)
    where = f"its rankings diverge most often at rank {places.most_common(1)[0][0]}" if places else "its rankings never diverge"
    return (
        f"The student puts a best candidate first in {found.same_best:.0%} of {number_of(found.n_decided, 'decided problem')}, "
        f"with a loss of {found.loss:.3g} {found.unit} compared with {found.uninformed_loss:.3g} of an uninformed one; {where}."
    )


def tables(found: RankingOutput) -> list[Table]:
    """Lists the means and the first ranks."""
    unit = found.unit
    means = Table(
        f"{found.n_problems} problems",
        (f"PLD, {unit}", f"PLD uninformed, {unit}", f"KL, {unit}", "same best", "Kendall's tau"),
        ((found.loss, found.uninformed_loss, found.kl, found.same_best, found.kendall_tau),),
    )
    ranks = Table(
        "Ranks of the teacher's ranking, right candidate first",
        ("rank", "problems", f"loss, {unit}", "uninformed", "share of the loss", "followed so far"),
        tuple((r.rank, r.n_problems, r.loss, r.uninformed_loss, r.share, r.followed) for r in found.ranks[:MAX_SHOWN]),
    )
    return [means, ranks]


def plot(found: RankingOutput, figure: "Figure") -> None:
    """Draws the contribution of each rank to the loss, and how far the student follows."""
    figure.set_size_inches(9, 3.6)
    left, right = figure.subplots(1, 2)
    shown = found.ranks[:MAX_SHOWN]
    ranks = np.array([rank.rank for rank in shown])
    left.bar(ranks - 0.2, [rank.loss for rank in shown], width=0.4, label=f"student, {found.loss:.3g} in total")
    left.bar(ranks + 0.2, [rank.uninformed_loss for rank in shown], width=0.4, label=f"uninformed, {found.uninformed_loss:.3g}")
    left.set_ylabel(f"loss, {found.unit}")
    left.legend(frameon=False)
    right.plot(ranks, [np.nan if rank.followed is None else rank.followed for rank in shown], "o-")
    right.set_ylim(0, 1)
    right.set_ylabel("share of the problems followed so far")
    for axes in (left, right):
        axes.set_xlabel("rank")
        axes.xaxis.get_major_locator().set_params(integer=True)
