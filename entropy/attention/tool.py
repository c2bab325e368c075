"""``attention`` for HTTP and command line."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from pydantic import Field

from epf.entropy.attention.maps import AttentionInput, entropies_of
from epf.entropy.attention.maths import N_BINS, bins_of, ceiling, penalties, row_ceilings
from epf.entropy.core.information import FloatArray
from epf.entropy.core.schema import Result, Strict
from epf.entropy.tooling.tool import Table, Tool

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SATURATED = 0.95
"""A head is called saturated from this part of its ceiling on (ours)."""
COLLAPSED = 0.05
"""And collapsed below this part."""
MOST_SHOWN = 48
"""Heads or steps in the tables."""

Bin = Literal["lowest", "low", "high", "highest"]
BINS: tuple[Bin, ...] = get_args(Bin)


class HeadOut(Strict):
    """One head."""

    layer: int
    head: int
    entropy: float = Field(description="Mean over the rows, nats.")
    of_uniform: float = Field(description="Part of ln T, the paper's ceiling.")
    of_ceiling: float = Field(description="Part of what a head can reach: ln(T!) / T under a causal mask.")
    bin: Bin = Field(
        description="Quarter of the largest entropy here; the paper counts collapse in lowest, overload in highest."
    )
    saturated: bool = Field(description=f"At least {SATURATED} of the ceiling: it attends to everything alike.")
    collapsed: bool = Field(description=f"At most {COLLAPSED} of the ceiling: it attends to one token.")
    charge: float = Field(description="By the regulariser.")


class LayerOut(Strict):
    """One layer."""

    layer: int
    entropy: float = Field(description="Mean of its heads.")
    bins: list[int] = Field(description="Heads in each bin, from lowest to highest.")


class StepOut(Strict):
    """The queries of one step, over all heads."""

    step: int
    n_queries: int
    entropy: float
    of_ceiling: float | None = Field(description="Part of what these rows can reach; null if that is nothing.")


class AttentionOutput(Result):
    """Entropies of attention in nats, and the value of the paper's regulariser."""

    length: int
    uniform: float = Field(description="ln T.")
    ceiling: float = Field(description="What a head can reach.")
    largest: float = Field(description="Largest head entropy, which sets the bins.")
    bins: list[int] = Field(description="Heads in each bin, from lowest to highest.")
    shares: list[float] = Field(description="The same, as parts of all heads.")
    n_saturated: int
    n_collapsed: int
    penalty: float = Field(description="Value of the regulariser; a training adds it times lambda.")
    heads: list[HeadOut]
    layers: list[LayerOut]
    queries: list[float] = Field(description="Mean entropy of each query over all heads; empty if rows are not known.")
    steps: list[StepOut]


def run(given: AttentionInput) -> AttentionOutput:
    """See :mod:`epf.entropy.attention.maths`."""
    found = entropies_of(given)
    heads, uniform, most = found.heads, math.log(found.length), ceiling(found.length, causal=given.causal)
    charged = heads if given.granularity == "head" or found.rows is None else found.rows
    charges = penalties(charged, found.length, theta=given.theta, gamma=given.gamma)
    bins = bins_of(heads)
    per_head = charges if charges.ndim == 2 else charges.mean(axis=-1)
    counts = np.bincount(bins.ravel(), minlength=N_BINS)
    return AttentionOutput(
        length=found.length,
        uniform=uniform,
        ceiling=most,
        largest=float(heads.max()),
        bins=counts.tolist(),
        shares=(counts / heads.size).tolist(),
        n_saturated=int((heads >= SATURATED * most).sum()),
        n_collapsed=int((heads <= COLLAPSED * most).sum()),
        penalty=float(charges.mean()),
        heads=[
            HeadOut(
                layer=layer,
                head=head,
                entropy=float(heads[layer, head]),
                of_uniform=float(heads[layer, head] / uniform),
                of_ceiling=float(heads[layer, head] / most),
                bin=BINS[bins[layer, head]],
                saturated=bool(heads[layer, head] >= SATURATED * most),
                collapsed=bool(heads[layer, head] <= COLLAPSED * most),
                charge=float(per_head[layer, head]),
            )
            for layer, head in np.ndindex(*heads.shape)
        ],
        layers=[
            LayerOut(
                layer=layer,
                entropy=float(heads[layer].mean()),
                bins=np.bincount(bins[layer], minlength=N_BINS).tolist(),
            )
            for layer in range(len(heads))
        ],
        queries=[] if found.rows is None else found.rows.mean(axis=(0, 1)).tolist(),
        steps=[] if found.rows is None else _steps(found.rows, given.step_of, given.causal),
        warnings=[],
    )


def _steps(rows: FloatArray, steps: Sequence[int | None], causal: bool) -> list[StepOut]:
    queries = np.array([query for query, step in enumerate(steps) if step is not None], dtype=np.intp)
    known, place = np.unique([step for step in steps if step is not None], return_inverse=True)
    n = np.bincount(place)
    entropy = np.bincount(place, rows.mean(axis=(0, 1))[queries]) / n
    reach = np.bincount(place, row_ceilings(rows.shape[-1], causal=causal)[queries]) / n
    return [
        StepOut(
            step=int(step),
            n_queries=int(n[i]),
            entropy=float(entropy[i]),
            of_ceiling=float(entropy[i] / reach[i]) if reach[i] > 0 else None,
        )
        for i, step in enumerate(known)
    ]


def tables(found: AttentionOutput) -> list[Table]:
    """The bins, the layers, the heads at both ends, and the steps."""
    whole = Table(
        f"{len(found.heads)} heads on {found.length} tokens",
        ("largest, nats", "ceiling", "ln T", *BINS, "saturated", "collapsed", "penalty"),
        ((found.largest, found.ceiling, found.uniform, *found.bins, found.n_saturated, found.n_collapsed, found.penalty),),
    )
    layers = Table(
        "Layers",
        ("layer", "entropy, nats", *BINS),
        tuple((layer.layer, layer.entropy, *layer.bins) for layer in found.layers[:MOST_SHOWN]),
    )
    flagged = [head for head in found.heads if head.saturated or head.collapsed]
    heads = Table(
        "Saturated and collapsed",
        ("layer", "head", "entropy, nats", "of ln T", "of the ceiling", "saturated"),
        tuple((h.layer, h.head, h.entropy, h.of_uniform, h.of_ceiling, h.saturated) for h in flagged[:MOST_SHOWN]),
    )
    steps = Table(
        "Steps, all heads",
        ("step", "queries", "entropy, nats", "of the ceiling"),
        tuple((s.step, s.n_queries, s.entropy, s.of_ceiling) for s in found.steps[:MOST_SHOWN]),
    )
    return [whole, layers, *([heads] if flagged else []), *([steps] if found.steps else [])]


def plot(found: AttentionOutput, figure: "Figure") -> None:
    """Each head's part of the ceiling, and the queries' mean entropy or the heads in order."""
    figure.set_size_inches(9, 3.6)
    left, right = figure.subplots(1, 2)
    parts = np.array([head.of_ceiling for head in found.heads]).reshape(len(found.layers), -1)
    image = left.imshow(parts, vmin=0, vmax=1, cmap="viridis", aspect="auto")
    left.set_xlabel("head")
    left.set_ylabel("layer")
    left.set_title("entropy, part of what a head can reach")
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
    right.set_xlabel("heads in order")
    right.set_ylabel("entropy, nats")
    right.legend(frameon=False)


TOOL = Tool(
    name="attention",
    question="Which attention heads collapsed, which are overloaded, and what would the regulariser charge them?",
    paper="Entropy-Guided Attention for Private LLMs (arXiv 2501.03489)",
    input=AttentionInput,
    arrays=("attentions", "row_entropies", "head_entropies"),
    output=AttentionOutput,
    run=run,
    from_traces=None,
    tables=tables,
    plot=plot,
    one_of=True,
)
