"""The conclusion, the tables and the picture of ``features``."""

from typing import TYPE_CHECKING

from epf.entropy.core.checks import number_of
from epf.entropy.features.schema import FeaturesOutput, GroupOut
from epf.entropy.tooling.labels import label
from epf.entropy.tooling.tool import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_GROUPS = 24
"""Maximum number of groups in the tables and the picture."""


def _shown(found: FeaturesOutput) -> list[GroupOut]:
    return [*([] if found.whole is None else [found.whole]), *found.groups[:MAX_GROUPS]]


def conclusion(found: FeaturesOutput) -> str:
    """The effective number, of all samples or as a mean over the groups."""
    if found.whole is not None:
        return f"{found.whole.effective:.3g} of {number_of(found.n_features, 'feature')} are effectively in use."
    if found.mean is not None:
        return f"On average over {number_of(len(found.groups), 'group')}, {found.mean:.3g} are effectively in use."
    return "No sample has any active feature."


def tables(found: FeaturesOutput) -> list[Table]:
    """Lists the effective numbers and the largest shares."""
    title = number_of(found.n_features, "feature")
    if found.fitted is not None:
        fitted = found.fitted
        title += (
            f", fitted in {fitted.epochs} epochs: {fitted.explained:.3g} explained, {fitted.per_state:.3g} active per state"
        )
    if found.mean is not None:
        title += f"; mean effective number of {len(found.groups)} groups: {found.mean:.4g}"
    shown = _shown(found)
    counts = Table(
        title,
        ("group", "samples", "effective", "low", "high", "active", "order 2", "per neuron"),
        tuple((str(g.group), g.n_samples, g.effective, g.low, g.high, g.active, g.order_2, g.psi) for g in shown),
    )
    top = Table("Largest shares", ("feature", "share"), tuple((str(f.feature), f.share) for f in found.top))
    return [counts, top] if found.top else [counts]


def plot(found: FeaturesOutput, figure: "Figure") -> None:
    """Draws the effective number of each group with its interval."""
    shown = _shown(found)
    figure.set_size_inches(7, 1.6 + 0.3 * len(shown))
    axes = figure.subplots()
    for y, group in enumerate(shown):
        if group.low is not None and group.high is not None:
            axes.plot([group.low, group.high], [y, y], color="C0")
    positions = range(len(shown))
    axes.plot([group.effective for group in shown], positions, "o", color="C0", label="effective")
    axes.plot([group.active for group in shown], positions, "|", color="grey", label="active")
    axes.set_yticks(positions, [f"{label(group.group)} ({group.n_samples})" for group in shown])
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    axes.set_xlabel(f"number of features, out of {found.n_features}")
    axes.legend(frameon=False)
