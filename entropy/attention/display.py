"""The conclusion, the tables and the picture of ``attention``."""

from typing import TYPE_CHECKING

import numpy as np

from epf.entropy.attention.maths import N_BINS
from epf.entropy.attention.schema import BINS, AttentionOutput
from epf.entropy.tooling.tool import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_SHOWN = 48
"""Maximum number of layers, heads or steps in a table."""


def conclusion(found: AttentionOutput) -> str:
    """How many heads have collapsed or are saturated, and the charge."""
    return (
        f"{found.n_collapsed} of {len(found.heads)} heads collapsed, {found.n_saturated} saturated; the "
        f"regulariser charges them {found.penalty:.3g} in all."
    )


def tables(found: AttentionOutput) -> list[Table]:
    """Lists the bins, the layers, the saturated and collapsed heads, and the steps."""
    whole = Table(
        f"{len(found.heads)} heads on {found.length} tokens",
        ("largest, nats", "ceiling", "ln T", *BINS, "saturated", "collapsed", "penalty"),
        ((found.largest, found.ceiling, found.uniform, *found.bins, found.n_saturated, found.n_collapsed, found.penalty),),
    )
    layers = Table(
        "Layers",
        ("layer", "entropy, nats", *BINS),
        tuple((layer.layer, layer.entropy, *layer.bins) for layer in found.layers[:MAX_SHOWN]),
    )
    flagged = [head for head in found.heads if head.saturated or head.collapsed]
    heads = Table(
        "Saturated and collapsed heads",
        ("layer", "head", "entropy, nats", "part of ln T", "part of the ceiling", "saturated"),
        tuple((h.layer, h.head, h.entropy, h.of_uniform, h.of_ceiling, h.saturated) for h in flagged[:MAX_SHOWN]),
    )
    steps = Table(
        "Steps, mean of all heads",
        ("step", "queries", "entropy, nats", "part of the ceiling"),
        tuple((s.step, s.n_queries, s.entropy, s.of_ceiling) for s in found.steps[:MAX_SHOWN]),
    )
    return [whole, layers, *([heads] if flagged else []), *([steps] if found.steps else [])]


def plot(found: AttentionOutput, figure: "Figure") -> None:
    """Draws each head's entropy as a part of the ceiling, and the queries' mean entropy or the sorted heads."""
    figure.set_size_inches(9, 3.6)
    left, right = figure.subplots(1, 2)
    parts = np.array([head.of_ceiling for head in found.heads]).reshape(len(found.layers), -1)
    image = left.imshow(parts, vmin=0, vmax=1, cmap="viridis", aspect="auto")
    left.set_xlabel("head")
    left.set_ylabel("layer")
    left.set_title("entropy, part of the ceiling")
    figure.colorbar(image, ax=left)
    for axis in (left.xaxis, left.yaxis):
        axis.get_major_locator().set_params(integer=True)
    if found.queries:
        right.plot(found.queries)
        right.set_xlabel("token")
        right.set_ylabel("entropy, mean of all heads, nats")
        return
    right.plot(sorted(head.entropy for head in found.heads))
    for quarter in range(1, N_BINS):
        right.axhline(quarter * found.largest / N_BINS, color="grey", linewidth=0.6)
    right.axhline(found.ceiling, color="C1", label=f"ceiling, {found.ceiling:.3g}")
    right.set_xlabel("heads, sorted by entropy")
    right.set_ylabel("entropy, nats")
    right.legend(frameon=False)
